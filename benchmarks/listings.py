"""Two textbook listings on FSDD next to the kerasr models that mirror them: `python benchmarks/listings.py`.

`docs/listings.md` tells what each listing gets wrong. The listings here are written from those descriptions with the
mistakes left in, and everything else done well: standardised features, Adam, the same training clips (index 10 and up)
and the same test clips (index 0 to 4) as the kerasr run. Writes `benchmarks/results/listings.json`.
"""

import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import librosa
import numpy as np

import kerasr
from kerasr.data import Utterance

RESULTS = Path(__file__).parent / "results" / "listings.json"
HELD_OUT = "theo"


def main() -> None:
    """Run all, print the table and write the scores."""
    warnings.filterwarnings("ignore", message="n_fft=2048 is too large")
    official = kerasr.split_corpus(kerasr.load_corpus("fsdd"))[0].utterances
    held_out = kerasr.split_corpus(kerasr.load_corpus("fsdd"), leave_out=HELD_OUT)[0].utterances
    rows = [
        measure("(a) Conv1D-LSTM over one MFCC vector", "official", lambda: conv1d_lstm_listing(official)),
        measure("kerasr Conv1DLSTM", "official", lambda: kerasr_accuracy("Conv1DLSTM")),
        measure("(a) Conv1D-LSTM over one MFCC vector", f"without {HELD_OUT}", lambda: conv1d_lstm_listing(held_out)),
        measure("kerasr Conv1DLSTM", f"without {HELD_OUT}", lambda: kerasr_accuracy("Conv1DLSTM", leave_out=HELD_OUT)),
        measure("(b) stacked LSTM over single frames", "official", lambda: stacked_lstm_listing(official)),
        measure("(b) whole clips, unmasked, 64 ms frames", "official", lambda: unmasked_lstm_listing(official, 512)),
        measure("(b) whole clips, unmasked, 10 ms frames", "official", lambda: unmasked_lstm_listing(official, 80)),
        measure("kerasr StackedLSTM", "official", lambda: kerasr_accuracy("StackedLSTM")),
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"corpus": "fsdd", "seed": 0, "rows": rows}, indent=2) + "\n", encoding="utf-8")


def measure(name: str, split: str, score) -> dict[str, object]:
    """One row of the table: the test accuracy that `score()` returns, and the seconds it took."""
    start = time.perf_counter()
    row = {"name": name, "split": split, "accuracy": round(score(), 4)}
    row["seconds"] = round(time.perf_counter() - start)
    print(f"{name:40} {split:14} {row['accuracy']:7.2%} {row['seconds']:6} s", flush=True)
    return row


def kerasr_accuracy(model: str, leave_out: str | None = None) -> float:
    """Test accuracy of kerasr's digits recipe for an architecture."""
    run = kerasr.train_recipe(replace(kerasr.get_recipe("digits", model), leave_out=leave_out))
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


def stacked_lstm_listing(utterances: Sequence[Utterance], epochs: int = 2) -> float:
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


def unmasked_lstm_listing(utterances: Sequence[Utterance], hop_length: int, epochs: int = 10) -> float:
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
