"""What an exported voice says against what the run says, measured in a fresh process on texts of the run's test."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from keras import ops

from kerasr.config import to_json
from kerasr.data.spoken_text import spoken_text
from kerasr.errors import UserError
from kerasr.exporters.check import run_apart, size_of
from kerasr.exporters.voice import VoiceGraph
from kerasr.runs.run import Run
from kerasr.text.vocabulary import SPACE

NUM_TEXTS = 8
# Characters of a text that is made up, where the run's are not at hand.
LENGTH_MADE = 30


@dataclass(frozen=True)
class VoiceCheck:
    """How near an exported voice is to its run.

    Attributes:
        num_texts: that both have said.
        real: whether they are the run's test texts; else they are strings of its characters, for want of them.
        agreement: share of the tokens that last as many frames in both, or nearly (`slack` of `check_voice`).
        difference: largest difference of an energy in dB, of the texts whose tokens last the same.
        waveform_difference: the same of a sample, as a share of the largest sample.
        real_time_factor: seconds of one processor for a second of speech.
        size: bytes of the file, or of all files of the folder.
    """

    num_texts: int
    real: bool
    agreement: float
    difference: float
    waveform_difference: float
    real_time_factor: float
    size: int

    def to_json(self) -> str:
        """As JSON, for what is written beside the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def check_voice(graph: VoiceGraph, kind: str, path: str, *, slack: int = 0) -> VoiceCheck:
    """Let the file at `path` say texts in a process that cannot import Keras.

    Args:
        graph: what it shall say.
        kind: `savedmodel`, `litert` or `onnx`.
        path: the file or folder.
        slack: frames by which a token's length may differ and counts as the same.

    Raises:
        UserError: the process failed; the message has its last line.
    """
    run = graph.run
    rows, real = take_texts(graph)
    width = max(map(len, rows))
    token_ids = np.array([row + [0] * (width - len(row)) for row in rows], np.int32)
    voice = np.arange(len(rows), dtype=np.int32) % len(graph.task.voices)
    speed = np.ones(len(rows), np.float32)
    expected = [
        {name: ops.convert_to_numpy(value)[0] for name, value in graph.speak(*inputs).items()}
        for inputs in zip(map(np.array, ([row] for row in rows)), voice[:, None], speed[:, None], strict=True)
    ]
    frames = np.zeros_like(token_ids)
    for row, one in zip(frames, expected, strict=True):
        row[: len(one["durations"])] = one["durations"]
    found = run_apart(
        "run_exported_voice.py", kind, path, {"token_ids": token_ids, "voice": voice, "speed": speed, "frames": frames}
    )
    said = [
        {name: found[f"{name}_{number}"] for name in ("durations", "log_mel", "waveform")}
        for number in range(len(rows))
    ]
    pairs = [(one, other) for one, other in zip(expected, said, strict=True) if _same_length(one, other)]
    loudest = max((float(np.abs(one["waveform"]).max()) for one, _ in pairs), default=1.0)
    apart = [np.abs(one["durations"] - other["durations"]) for one, other in zip(expected, said, strict=True)]
    return VoiceCheck(
        num_texts=len(rows),
        real=real,
        agreement=float(np.mean(np.concatenate(apart) <= slack)),
        difference=_difference(pairs, "log_mel"),
        waveform_difference=_difference(pairs, "waveform") / max(loudest, 1e-9),
        real_time_factor=float(found["seconds"]) / sum(_seconds(run, one) for one in said),
        size=size_of(path),
    )


def describe_voice(graph: VoiceGraph, check: VoiceCheck) -> dict[str, Any]:
    """The run's facts as plain JSON types, and what was measured of the export."""
    run = graph.run
    corpus = run.facts["corpus"]
    return {
        "labels": list(run.labels),
        "task": run.task.name,
        "voices": list(graph.task.voices),
        "features": to_json(run.config.features),
        "model": run.config.model.name,
        "spell_numbers": run.config.data.spell_numbers,
        "phonemes": run.config.data.phonemes,
        "data": {key: corpus[key] for key in ("name", "source", "licence", "fingerprint")},
        "check": vars(check),
        "versions": run.facts["versions"],
    }


def take_texts(graph: VoiceGraph) -> tuple[list[list[int]], bool]:
    """Tokens of test texts; of strings of the run's characters where it has brought none."""
    vocabulary = graph.task.vocabulary
    try:
        texts = list(dict.fromkeys(spoken_text(item) for item in graph.run.utterances("test")))[:NUM_TEXTS]
    except UserError:
        texts = []
    if texts:
        return [vocabulary.encode(text) for text in texts], True
    draw = np.random.default_rng(0)
    letters = [label for label in graph.run.labels if label != SPACE]
    made = ["".join(draw.choice(letters, LENGTH_MADE)) for _ in range(NUM_TEXTS)]
    return [vocabulary.encode(f"{SPACE}{text}{SPACE}") for text in made], False


def _same_length(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one["log_mel"].shape == other["log_mel"].shape


def _difference(pairs: Sequence[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]], name: str) -> float:
    """A NaN is as far away as can be, and so is what nothing could be compared of."""
    differences = [np.abs(one[name] - other[name]).max() for one, other in pairs]
    return float(np.nan_to_num(np.max(differences), nan=np.inf)) if differences else np.inf


def _seconds(run: Run, said: dict[str, np.ndarray]) -> float:
    return len(said["waveform"]) / run.config.features.sample_rate
