"""CMU AN4's training part, under KERASR_DATA as `an4`: 948 utterances by 74 speakers, 16 kHz, words with their text."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16000


@dataclass(frozen=True)
class An4Utterance:
    """One recording: headerless big-endian 16-bit samples."""

    path: Path
    words: tuple[str, ...]

    @property
    def speaker(self) -> str:
        return self.path.parent.name

    def read(self) -> np.ndarray:
        """`(samples,)` float32 in [-1, 1]."""
        return np.fromfile(self.path, dtype=">i2").astype("float32") / 2**15


def an4_utterances() -> list[An4Utterance]:
    """Every utterance, its words in lower case."""
    root = Path(os.environ.get("KERASR_DATA", ".")) / "an4"
    places = [line.strip() for line in (root / "etc" / "an4_train.fileids").read_text().splitlines()]
    place = {name.rpartition("/")[2]: root / "wav" / f"{name}.raw" for name in places}
    lines = (root / "etc" / "an4_train.transcription").read_text().splitlines()
    found = (re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()) for line in lines)
    return [An4Utterance(place[match[2]], tuple(match[1].lower().split())) for match in found if match]
