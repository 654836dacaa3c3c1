"""Speed of the front-end: seconds of audio turned into MFCCs in a second, against librosa and torch.stft.

    python benchmarks/features.py                 FSDD at 8 kHz and, where it is there, Speech Commands at 16 kHz

Waveforms are in memory; each way computes the same 13 coefficients of the same clips, in turn, several times, and the
median counts. librosa goes clip by clip, as its users do; kerasr and torch take batches of 64 clips padded to one
second. Needs `pip install torch`; without it the column says so. Writes benchmarks/results/features.json.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import librosa
import numpy as np
import tensorflow as tf
from _parts import markdown_table, print_tables, write_result

from kerasr import audio
from kerasr.audio.features import Features, mel_matrix
from kerasr.config import FeatureSpec
from kerasr.core.provenance import provenance
from kerasr.data import load_corpus

try:
    import torch
except ImportError:
    torch = None

RESULTS = Path(__file__).parent / "results" / "features.json"
SPECS = {
    "fsdd": FeatureSpec(kind="mfcc", sample_rate=8000, n_fft=256, win_length=200, hop_length=80),
    "speech_commands": FeatureSpec(kind="mfcc"),
}

NAMES = {"fsdd": "FSDD", "speech_commands": "Speech Commands"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1024, help="clips of each corpus")
    parser.add_argument("--rounds", type=int, default=7, help="times each way is measured")
    arguments = parser.parse_args()
    rows = [measure(name, spec, arguments.clips, arguments.rounds) for name, spec in SPECS.items()]
    write_result(RESULTS, {**provenance(), "rows": rows})
    print_tables(tables())


def tables() -> dict[str, str]:
    """Seconds of audio a second on each corpus."""
    headings = (
        "seconds of audio a second",
        "kerasr",
        "librosa, file by file",
        "`torch.stft`",
        "times librosa",
        "times torch",
    )
    return {"all": markdown_table(headings, map(table_row, json.loads(RESULTS.read_text())["rows"]))}


def table_row(row: dict) -> list[str]:
    speeds = [f"{row[name]:,.0f}" if row[name] else "not installed" for name in ("kerasr", "librosa", "torch")]
    times = [f"{row[name]:.2f}" if row[name] else "-" for name in ("times_librosa", "times_torch")]
    return [f"{NAMES[row['corpus']]}, {SPECS[row['corpus']].sample_rate // 1000} kHz", *speeds, *times]


def measure(name: str, spec: FeatureSpec, clips: int, rounds: int) -> dict:
    """Speeds on one corpus, the ways taken in turn so that all see the machine in the same moods."""
    paths = [item.path for item in load_corpus(name).utterances][:clips]
    waveforms = [audio.read(path, spec.sample_rate)[0] for path in paths]
    waveforms = [waveform[: spec.clip_samples] for waveform in waveforms]
    batches = [padded(waveforms[start : start + 64], spec) for start in range(0, len(waveforms), 64)]
    ways: dict[str, Callable[[], object]] = {
        "kerasr": kerasr_way(batches, spec),
        "librosa": lambda: [librosa_mfcc(waveform, spec) for waveform in waveforms],
    }
    if torch:
        ways["torch"] = torch_way(batches, spec)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, run in ways.items():
            time.sleep(0.5)  # PyTorch's and NumPy's threads spin for a while after their work, on the next way's time.
            started = time.perf_counter()
            run()
            times[way].append(time.perf_counter() - started)
    # The first round compiles. Padding is work, not audio: every way is credited with the clips' own seconds.
    seconds = sum(map(len, waveforms)) / spec.sample_rate
    speed = {way: seconds / statistics.median(taken[1:]) for way, taken in times.items()}
    return {
        "corpus": name,
        "clips": len(waveforms),
        "seconds_of_audio": round(seconds, 1),
        **{way: speed.get(way) for way in ("kerasr", "librosa", "torch")},
        "times_librosa": speed["kerasr"] / speed["librosa"],
        "times_torch": speed["kerasr"] / speed["torch"] if torch else None,
    }


def padded(waveforms: list[np.ndarray], spec: FeatureSpec) -> tuple[np.ndarray, np.ndarray]:
    """A batch of one second each, and the clips' own lengths."""
    batch = np.stack([np.pad(waveform, (0, spec.clip_samples - len(waveform))) for waveform in waveforms])
    return batch, np.array([len(waveform) for waveform in waveforms], np.int32)


def kerasr_way(batches: list[tuple[np.ndarray, np.ndarray]], spec: FeatureSpec) -> Callable[[], object]:
    """The front-end as the pipeline runs it: a graph, normalisation and masking included."""
    features = Features(spec)
    graph = tf.function(lambda waveform, num_samples: features(waveform, num_samples), reduce_retracing=True)
    tensors = [(tf.constant(waveform), tf.constant(num_samples)) for waveform, num_samples in batches]
    return lambda: [graph(*batch).numpy() for batch in tensors]


def librosa_mfcc(waveform: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    sizes = {name: getattr(spec, name) for name in ("n_mfcc", "n_fft", "win_length", "hop_length", "n_mels", "fmin")}
    waveform = np.pad(waveform, (0, max(0, spec.n_fft - len(waveform))))
    return librosa.feature.mfcc(y=waveform, sr=spec.sample_rate, center=False, **sizes)


def torch_way(batches: list[tuple[np.ndarray, np.ndarray]], spec: FeatureSpec) -> Callable[[], object]:
    """The same features through torch.stft, two matrix products and a logarithm."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    mel = torch.from_numpy(mel_matrix(spec))
    dct = dct_matrix(spec)
    window = torch.hann_window(spec.win_length)
    tensors = [torch.from_numpy(waveform) for waveform, _ in batches]

    @torch.inference_mode()
    def run() -> list[np.ndarray]:
        made = []
        for waveform in tensors:
            spectrum = torch.stft(
                waveform, spec.n_fft, spec.hop_length, spec.win_length, window, center=False, return_complex=True
            )
            power = spectrum.real.square() + spectrum.imag.square()
            log_mel = 10 * torch.log10((power.transpose(1, 2) @ mel).clamp_min(1e-10))
            made.append((log_mel @ dct).numpy())
        return made

    return run


def dct_matrix(spec: FeatureSpec) -> "torch.Tensor":
    """Orthonormal DCT-II, `(n_mels, n_mfcc)`."""
    rows, columns = np.arange(spec.n_mels)[:, None] + 0.5, np.arange(spec.n_mfcc)
    matrix = np.cos(np.pi / spec.n_mels * rows * columns) * np.sqrt(2 / spec.n_mels)
    matrix[:, 0] /= np.sqrt(2)
    return torch.from_numpy(matrix.astype("float32"))


if __name__ == "__main__":
    main()
