"""Two textbook listings on FSDD next to the kerasr models that mirror them.

    python benchmarks/listings.py              every row of the table
    python benchmarks/listings.py 5 7          some of them; the others stay as they were measured
    python benchmarks/listings.py --table      print what has been measured

`docs/listings.md` tells what each listing gets wrong. The listings here are written from those descriptions with the
mistakes left in, and everything else done well: standardised features, Adam, the same training clips (index 10 and up)
and the same test clips (index 0 to 4) as the kerasr run. Results go to `benchmarks/results/listings.json`.
"""

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import librosa
import numpy as np
from _parts import markdown_table, print_tables, write_result

import kerasr
from kerasr.data import Utterance

RESULTS = Path(__file__).parent / "results" / "listings.json"
HELD_OUT = "theo"


# Name of the row, speaker left out, and what measures it on the utterances of that split.
ROWS = (
    ("(a) one mean MFCC vector", None, lambda utterances: conv1d_lstm_listing(utterances)),
    ("kerasr Conv1DLSTM", None, lambda _: kerasr_accuracy("Conv1DLSTM")),
    ("(a) one mean MFCC vector", HELD_OUT, lambda utterances: conv1d_lstm_listing(utterances)),
    ("kerasr Conv1DLSTM", HELD_OUT, lambda _: kerasr_accuracy("Conv1DLSTM", HELD_OUT)),
    ("kerasr ResidualCNN", HELD_OUT, lambda _: kerasr_accuracy("ResidualCNN", HELD_OUT)),
    ("(b) single frames, 2 epochs", None, lambda utterances: stacked_lstm_listing(utterances, 2)),
    ("(b) whole clips, no mask, 64 ms frames", None, lambda utterances: unmasked_lstm_listing(utterances, 512, 10)),
    ("(b) whole clips, no mask, 10 ms frames", None, lambda utterances: unmasked_lstm_listing(utterances, 80, 10)),
    ("kerasr StackedLSTM", None, lambda _: kerasr_accuracy("StackedLSTM")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, help=f"numbers of rows, 1 to {len(ROWS)}")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what has been measured")
    arguments = parser.parse_args()
    if not arguments.table:
        warnings.filterwarnings("ignore", message="n_fft=2048 is too large")
        for number in arguments.rows or range(1, len(ROWS) + 1):
            row = measure(*ROWS[number - 1])
            write_result(RESULTS, measured() | {str(number): row})
    print_tables(tables())


def tables() -> dict[str, str]:
    """Every row that has been measured."""
    rows = [row for _, row in sorted(measured().items())]
    cells = [(row["name"], row["split"], f"{row['accuracy']:.1%}", row["seconds"]) for row in rows]
    return {"all": markdown_table(("", "split", "test accuracy", "seconds"), cells)}


def figures() -> dict[str, str]:
    """The accuracy of each row, by its number."""
    return {number: f"{row['accuracy']:.1%}" for number, row in measured().items()}


def measured() -> dict[str, dict[str, Any]]:
    """The rows that have been measured, by their number."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def measure(name: str, leave_out: str | None, score: Callable[[Sequence[Utterance]], float]) -> dict[str, Any]:
    """One row of the table: the test accuracy that `score` returns, and the seconds it took."""
    corpus, _ = kerasr.split_corpus(kerasr.load_corpus("fsdd"), leave_out=leave_out)
    start = time.perf_counter()
    accuracy = score(corpus.utterances)
    return {
        "name": name,
        "split": f"without {leave_out}" if leave_out else "official",
        "accuracy": round(accuracy, 4),
        "seconds": round(time.perf_counter() - start),
        "seed": 0,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {package: version(package) for package in ("keras", "tensorflow", "librosa")},
    }


def kerasr_accuracy(model: str, leave_out: str | None = None) -> float:
    """Test accuracy of kerasr's digits recipe for an architecture; its run is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        run = kerasr.train_recipe(kerasr.get_recipe("digits", model).replace(leave_out=leave_out, out=folder))
        return kerasr.evaluate_run(run).metrics["accuracy"]


def conv1d_lstm_listing(utterances: Sequence[Utterance], epochs: int = 60) -> float:
    """Listing (a): the mean MFCC vector of a clip, its 13 coefficients read as 13 points in time."""
    keras.utils.set_random_seed(0)

    def features(path: str) -> np.ndarray:
        waveform, sample_rate = librosa.load(path, sr=None)
        return np.mean(librosa.feature.mfcc(y=waveform, sr=sample_rate, n_mfcc=13).T, axis=0)

    def stack(split: str) -> tuple[np.ndarray, np.ndarray]:
        chosen = [item for item in utterances if item.split == split]
        labels = [int(Path(item.path).name.split("_")[0]) for item in chosen]
        return np.array([features(item.path) for item in chosen])[..., np.newaxis], np.array(labels)

    (x_train, y_train), (x_test, y_test) = stack("train"), stack("test")
    x_train, x_test = standardise(x_train, x_test)
    model = keras.Sequential(
        [
            keras.Input((13, 1)),
            keras.layers.Conv1D(64, 3, activation="relu"),
            keras.layers.MaxPooling1D(2),
            keras.layers.LSTM(64),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, epochs=epochs, batch_size=32, verbose=0)
    return float(np.mean(model.predict(x_test, verbose=0).argmax(axis=1) == y_test))


def stacked_lstm_listing(utterances: Sequence[Utterance], epochs: int) -> float:
    """Listing (b): the frames of all clips stacked, the 128 bands of each frame read as 128 points in time.

    A clip is never seen whole; here its frames vote, so that the score is a clip's as everywhere else.
    """
    (x_train, y_train), (x_test, y_test) = (mel_frames(utterances, split) for split in ("train", "test"))
    train_owner, test_owner = (
        np.repeat(np.arange(len(clips)), [len(clip) for clip in clips]) for clips in (x_train, x_test)
    )
    x_train, x_test = standardise(np.concatenate(x_train), np.concatenate(x_test))
    model = stacked_lstm((128, 1))
    model.fit(x_train.reshape(-1, 128, 1), y_train[train_owner], epochs=epochs, batch_size=64, verbose=0)
    votes = np.zeros((len(y_test), 10))
    np.add.at(votes, test_owner, model.predict(x_test.reshape(-1, 128, 1), verbose=0))
    return float(np.mean(votes.argmax(axis=1) == y_test))


def unmasked_lstm_listing(utterances: Sequence[Utterance], hop_length: int, epochs: int) -> float:
    """Listing (b) with its `reshape` put right: whole clips, frame by frame, padded to the longest and not masked."""
    (x_train, y_train), (x_test, y_test) = (mel_frames(utterances, split, hop_length) for split in ("train", "test"))
    longest = max(len(clip) for clip in [*x_train, *x_test])
    x_train, x_test = (
        np.array([np.pad(clip, ((0, longest - len(clip)), (0, 0))) for clip in clips]) for clips in (x_train, x_test)
    )
    x_train, x_test = standardise(x_train, x_test, axis=(0, 1))
    model = stacked_lstm((longest, 128))
    model.fit(x_train, y_train, epochs=epochs, batch_size=64, verbose=0)
    return float(np.mean(model.predict(x_test, verbose=0).argmax(axis=1) == y_test))


def mel_frames(
    utterances: Sequence[Utterance], split: str, hop_length: int = 512
) -> tuple[list[np.ndarray], np.ndarray]:
    """The log-mel frames `(frames, 128)` of each clip of a split, otherwise as librosa has them, and the digits."""
    clips, labels = [], []
    for item in utterances:
        if item.split == split:
            waveform, sample_rate = librosa.load(item.path, sr=None)
            mel = librosa.feature.melspectrogram(y=waveform, sr=sample_rate, n_mels=128, hop_length=hop_length)
            clips.append(librosa.power_to_db(mel).T)
            labels.append(int(Path(item.path).name.split("_")[0]))
    return clips, np.array(labels)


def stacked_lstm(input_shape: tuple[int, int]) -> keras.Model:
    """The network of listing (b), compiled."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.LSTM(256, return_sequences=True),
            keras.layers.LSTM(256),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def standardise(x_train: np.ndarray, x_test: np.ndarray, axis: int | tuple[int, ...] = 0) -> tuple[np.ndarray, ...]:
    """Both with the mean and deviation that each feature has in training."""
    mean, std = x_train.mean(axis=axis), x_train.std(axis=axis)
    return (x_train - mean) / std, (x_test - mean) / std


if __name__ == "__main__":
    main()
