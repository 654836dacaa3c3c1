"""What an exported file answers against what the run answers, measured in a fresh process on the run's test clips."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

import keras
import numpy as np

from kerasr.core.progress import console
from kerasr.data.clips import BATCH_SIZE, pad_clips, read_clips
from kerasr.data.manifest import Utterance
from kerasr.errors import UserError
from kerasr.inference.compiled import join_outputs, pad_frames
from kerasr.layers.ctc import padding_row
from kerasr.models.from_waveform import compute_logits
from kerasr.runs.run import Run
from kerasr.streaming.client import StreamFacts
from kerasr.tasks.recognition import same_decisions

# Clips made here where the run's recordings are not on this machine.
NUM_MADE = 16
# Recordings that a SavedModel is given as files, too.
NUM_WAV = 8
# Clips that a file with the signature `stream` is given in chunks, too, and the length of a piece.
NUM_STREAMED = 64
PIECE_SECONDS = 0.13


@dataclass(frozen=True)
class Check:
    """How near an exported file is to its run.

    Attributes:
        num_clips: clips that both were given.
        real: whether they are the run's test recordings; else they are bursts of noise, for want of them.
        agreement: share of the clips in which both answer the same, a word or a transcript; as a stream, where it is
            less.
        difference: largest difference between their logits.
        accuracy_before: share of the clips in which the run is right in all; None where they are made.
        accuracy_after: the same of the file.
        milliseconds: of one clip on one thread, from waveform to probabilities (median).
        size: bytes of the file, or of all files of the folder.
        wer_before: word error rate of the run, where it writes transcripts; None where clips are made.
        wer_after: the same of the file.
    """

    num_clips: int
    real: bool
    agreement: float
    difference: float
    accuracy_before: float | None
    accuracy_after: float | None
    milliseconds: float
    size: int
    wer_before: float | None = None
    wer_after: float | None = None

    def to_json(self) -> str:
        """As JSON, for what is written beside the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def check_export(run: Run, kind: str, path: str, stream: StreamFacts | None = None) -> Check:
    """Let the file at `path` run on the run's test clips in a process that cannot import Keras.

    Args:
        run: where the file comes from.
        kind: `savedmodel`, `litert` or `onnx`.
        path: the file or folder.
        stream: of its signature `stream`, where it has one.

    Raises:
        UserError: the process failed; the message has its last line.
    """
    clips, truth, wav = take_clips(run)
    num_samples = np.array([len(clip) for clip in clips], np.int32)
    waveform = pad_clips(clips)
    given = {"waveform": waveform, "num_samples": num_samples, "wav": np.array(wav, str)}
    if run.task.per_frame:
        given["padding"] = np.array(padding_row(run.recognition.output.size))
    streamed = clips[:NUM_STREAMED] if stream else []
    if stream:
        given["stream"] = np.array(json.dumps(stream.to_json()))
        given["piece"] = np.array(round(PIECE_SECONDS * stream.sample_rate))
        given["streamed"], given["streamed_samples"] = pad_clips(streamed), np.array([len(clip) for clip in streamed])
    answers = run_apart("run_exported.py", kind, path, given)
    # What the run itself answers: to the waveforms alone, in which trailing zeros are padding, and with their lengths.
    batches = (waveform[start : start + BATCH_SIZE] for start in range(0, len(waveform), BATCH_SIZE))
    compute = partial(compute_logits, run.front_ends, run.network)
    padded = join_outputs([keras.ops.convert_to_numpy(compute(batch)) for batch in batches])
    exact = run.logits(clips)
    pairs = [("padded_logits", padded), ("logits", exact), ("wav_logits", exact[: len(wav)])]
    in_pieces = run.logits(streamed) if streamed else None
    if in_pieces is not None:
        pairs.append(("stream_logits", in_pieces))
    differences = [_difference(answers[name], logits) for name, logits in pairs if name in answers]
    expected, name = (exact, "probs") if "probs" in answers else (padded, "padded_probs")
    before = keras.ops.convert_to_numpy(run.recognition.probs(expected))
    after = answers[name]
    agreement = _agreement(run, before, after)
    if in_pieces is not None:
        streamed_probs = keras.ops.convert_to_numpy(run.recognition.probs(in_pieces))
        agreement = min(agreement, _agreement(run, streamed_probs, answers["stream_probs"]))
    return Check(
        num_clips=len(clips),
        real=truth is not None,
        agreement=agreement,
        # A NaN is as far away as can be.
        difference=float(np.nan_to_num(np.max(differences), nan=np.inf)),
        accuracy_before=None if truth is None else float(run.recognition.is_correct(truth, before).mean()),
        accuracy_after=None if truth is None else float(run.recognition.is_correct(truth, after).mean()),
        milliseconds=float(answers["milliseconds"]),
        size=size_of(path),
        wer_before=None if truth is None else run.recognition.word_error_rate(truth, before),
        wer_after=None if truth is None else run.recognition.word_error_rate(truth, after),
    )


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """How far apart two sets of logits are; of frames, as many as the longer has."""
    if one.ndim == 3:
        frames = max(one.shape[1], other.shape[1])
        one, other = pad_frames(one, frames), pad_frames(other, frames)
    return float(np.abs(one - other).max())


def _agreement(run: Run, before: np.ndarray, after: np.ndarray) -> float:
    """Share of the clips of which two sets of probabilities decide the same."""
    return float(same_decisions(run.recognition.decide(before), run.recognition.decide(after)).mean())


def child_environment() -> dict[str, str]:
    """For a process that shall find kerasr where this one did."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def size_of(path: str) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [path] if Path(path).is_file() else Path(path).rglob("*")
    return sum(file.stat().st_size for file in map(Path, files) if file.is_file())


def take_clips(run: Run) -> tuple[list[np.ndarray], list[Utterance] | None, list[str]]:
    """Test clips that can be read, what is known of each, and the first WAV files; made clips where none can."""
    try:
        items = run.utterances("test")
    except UserError:
        items = []
    bad: list[tuple[str, str]] = []
    read = list(read_clips([item.path for item in items], run.config.features, bad, "Reading test recordings"))
    if not read:
        return _made_clips(run), None, []
    if bad:
        path, reason = bad[0]
        console().print(
            f"warning: {len(bad)} of {len(items)} test recordings are not compared; the first is {path}: {reason}",
            style="yellow",
        )
    items, clips = [items[place] for place, _ in read], [clip for _, clip in read]
    # (Recordings that are joined are no file.)
    paths = (item.path for item in items[:NUM_WAV])
    leading = takewhile(lambda path: path.endswith(".wav") and os.path.isfile(path), paths)
    return clips, items, list(leading)


def _made_clips(run: Run) -> list[np.ndarray]:
    """Bursts of noise of many lengths and levels."""
    draw = np.random.default_rng(0)
    most = round((run.config.features.clip_seconds or 1.0) * run.config.features.sample_rate)
    sizes, levels = draw.integers(most // 4, most, NUM_MADE), 10 ** draw.uniform(-3, -1, NUM_MADE)
    return [(level * draw.standard_normal(size)).astype("float32") for size, level in zip(sizes, levels, strict=True)]


def run_apart(script: str, kind: str, path: str, clips: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a script of this folder makes of a file and arrays, in a process that cannot import Keras.

    Raises:
        UserError: the process failed; the message has its last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, answers = Path(folder, "clips.npz"), Path(folder, "answers.npz")
        np.savez(given, **clips)  # pyright: ignore[reportArgumentType]
        program = str(Path(__file__).with_name(script))
        command = [sys.executable, "-P", program, kind, path, str(given), str(answers)]
        done = subprocess.run(command, env=child_environment(), stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            raise UserError(
                "export-failed",
                f"the exported file could not be used: a process that loaded it ended with code {done.returncode} "
                f"({lines[-1]})",
            )
        with np.load(answers) as found:
            return dict(found)
