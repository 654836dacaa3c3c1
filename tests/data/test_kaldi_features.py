"""Kaldi's directories of features that were computed elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from _errors import raises
from _kaldi import binary, write_archive, write_lists
from _shared import record

from kerasr.config import Augmentation, FeatureSpec
from kerasr.data import fingerprint, load_corpus, split_corpus
from kerasr.data.hashes import content_hash
from kerasr.data.pipeline import make_datasets, measure_front_end

MATRICES = {f"u{number}": np.full((20 + number, 4), number, np.float32) for number in range(4)}
TEXT = ["u0 ONE", "u1 TWO", "u2 THREE", "u3 FOUR"]


def make(folder, entries=MATRICES, **lists):
    return write_lists(folder, feats_scp=write_archive(folder / "raw.ark", entries), **{"text": TEXT, **lists})


def place(folder, name):
    """Where a matrix begins in its archive."""
    lines = (folder / "feats.scp").read_text().splitlines()
    return next(line.rpartition(":")[2] for line in lines if line.startswith(f"{name} "))


def load(folder, **options):
    return load_corpus(str(folder), min_labels=0, **options)


def test_features_texts_and_speakers(tmp_path):
    folder = make(tmp_path / "data", utt2spk=["u0 anna", "u1 ben", "u2 ben", "u3 ben"])
    corpus = load(folder)
    assert corpus.features == FeatureSpec.given(4, 0.01)
    assert [(item.text, item.speaker, item.duration) for item in corpus.utterances[:2]] == [
        ("ONE", "anna", 0.2),
        ("TWO", "ben", 0.21),
    ]
    assert corpus.utterances[0].path == f"{folder}/raw.ark:3"
    write_lists(folder, frame_shift=["0.0125"])
    assert [item.duration for item in load(folder).utterances][:2] == [0.25, 0.2625]


def test_folders_called_as_splits_are_the_split(tmp_path):
    for name in ("train", "dev", "test"):
        make(tmp_path / "data" / name)
    corpus, _ = split_corpus(load(tmp_path / "data"))
    assert [item.split for item in corpus.utterances] == ["validation"] * 4 + ["test"] * 4 + ["train"] * 4
    write_lists(tmp_path / "data" / "dev", frame_shift=["0.02"])
    with raises("corpus-damaged", "frame_shift"):
        load(tmp_path / "data")


def test_where_both_are_recordings_are_read_unless_features_are_asked_for(tmp_path):
    for name in MATRICES:
        record(tmp_path / "data" / f"{name}.wav")
    folder = make(tmp_path / "data", wav_scp=[f"{name} {name}.wav" for name in MATRICES])
    assert load(folder).features is None
    assert load(f"{folder}:features").features
    (folder / "feats.scp").unlink()
    with raises("corpus-incomplete", "feats.scp"):
        load(f"{folder}:features")
    with raises("corpus-task-not-found", "other"):
        load(f"{folder}:other")


def test_what_is_bad_is_named_and_counted(tmp_path):
    bad = {
        "u0": MATRICES["u0"],
        "u1": binary(MATRICES["u1"])[:-60],
        "u2": np.ones((20, 5), np.float32),
        "u3": np.full((20, 4), np.nan, np.float32),
    }
    # What breaks off takes from the next: it must stand at the end.
    folder = make(tmp_path / "data", {name: bad[name] for name in ("u0", "u2", "u3", "u1")})
    corpus = load(folder)
    assert [item.text for item in corpus.utterances] == ["ONE", "FOUR"]
    assert [path.rpartition(":")[2] for path, _ in corpus.bad] == [place(folder, "u1"), place(folder, "u2")]
    with raises("too-many-bad-recordings"):
        load(folder, max_bad=1)
    # Values are looked at where they are read for the first time.
    corpus = replace(corpus, utterances=tuple(replace(item, split="train") for item in corpus.utterances))
    with raises("too-many-bad-recordings", "--max-bad"):
        measure_front_end(corpus, corpus.features, max_bad=2)
    kept, _ = measure_front_end(corpus, corpus.features, max_bad=3)
    assert [item.text for item in kept.utterances] == ["ONE"]
    assert "nan" in kept.bad[-1][1]


def test_features_lie_in_the_corpus_or_in_its_recipe(tmp_path):
    folder = make(tmp_path / "s5" / "data" / "train")
    recipe, outside = tmp_path / "s5" / "mfcc", tmp_path / "s50"
    lines = [write_archive(place / "raw.ark", {"u0": MATRICES["u0"]})[0].split(":")[1] for place in (recipe, outside)]
    inside = (folder / "feats.scp").read_text().splitlines()[3].split()[1]
    listed = [
        f"u0 {recipe}/raw.ark:{lines[0]}",
        f"u1 ../../../s50/raw.ark:{lines[1]}",
        "u2 /etc/passwd:0",
        f"u3 {folder}/{inside}",
    ]
    write_lists(folder, feats_scp=listed)
    corpus = load(folder)
    assert [item.text for item in corpus.utterances] == ["FOUR"]
    assert [path for path, _ in corpus.bad] == [
        f"{recipe}/raw.ark:{lines[0]}",
        f"{outside}/raw.ark:{lines[1]}",
        "/etc/passwd:0",
    ]
    with raises("too-many-bad-recordings"):
        load(folder, max_bad=2)
    # A recipe of Kaldi's writes its features beside its data.
    (tmp_path / "s5" / "path.sh").touch()
    assert [item.text for item in load(folder).utterances] == ["ONE", "FOUR"]
    assert [item.text for item in load(folder.parent).utterances] == ["ONE", "FOUR"]
    # Links are followed where the folder is another by name.
    (tmp_path / "link").symlink_to(tmp_path / "s5")
    assert [item.text for item in load(tmp_path / "link" / "data").utterances] == ["ONE", "FOUR"]


def test_all_bad_is_told(tmp_path):
    folder = make(tmp_path / "data", dict.fromkeys(MATRICES, b"nothing"))
    with raises("recordings-unusable"):
        load(folder)


@pytest.mark.parametrize("line", ["copy-feats ark:raw.ark ark:- |", "| tee raw.ark", "cat raw.ark|"])
def test_commands_are_refused(tmp_path, line):
    folder = make(tmp_path / "data")
    write_lists(folder, feats_scp=[f"u0 touch {tmp_path}/mark; {line}" if line.endswith("|") else f"u0 {line}"])
    with raises("recording-is-command", "feats.scp:1"):
        load(folder)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("text", ["0", "-0.01", "nan", "ten", "10"])
def test_a_frame_shift_is_seconds(tmp_path, text):
    folder = make(tmp_path / "data", frame_shift=[text])
    with raises("corpus-damaged", "frame_shift"):
        load(folder)


def test_what_a_matrix_holds_is_known_again_in_another_archive(tmp_path, rng):
    matrix = rng.normal(size=(20, 4)).astype(np.float32)
    paths = []
    for name in ("a", "b"):
        lines = write_archive(tmp_path / f"{name}.ark", {name * 3: matrix})
        paths.append(f"{tmp_path}/{lines[0].split()[1]}")
    assert content_hash(paths[0]) == content_hash(paths[1]) != content_hash(f"{paths[0]}[0:9]")
    folder = make(tmp_path / "data")
    before = fingerprint(load(folder))
    make(folder, {**MATRICES, "u3": np.zeros((23, 4), np.float32)})
    assert fingerprint(load(folder)) != before


def test_clips_are_whole_frames_from_the_middle(tmp_path, rng):
    matrices = {f"u{number}": 100 + rng.normal(size=(8 + 3 * number, 4)).astype(np.float32) for number in range(4)}
    corpus = load(make(tmp_path / "data", matrices))
    labelled = [
        replace(item, label=f"{number % 2}", split=split)
        for item, (number, split) in zip(
            corpus.utterances, enumerate(("train", "train", "validation", "test")), strict=True
        )
    ]
    corpus = replace(corpus, utterances=tuple(labelled), labels=("0", "1"))
    spec = replace(corpus.features, clip_seconds=0.1)
    assert spec.shape == (10, 4)
    masks = Augmentation(time_masks=1, frequency_masks=1)
    datasets, front_end = make_datasets(corpus, spec, batch_size=1, augment=masks)
    training = np.concatenate([matrices["u0"], matrices["u1"][:10]])
    np.testing.assert_allclose(front_end.mean, training.mean(0), rtol=1e-5)
    np.testing.assert_allclose(front_end.std, training.std(0), rtol=1e-3)
    features, _ = next(iter(datasets["test"]))
    expected = (matrices["u3"][3:13] - np.array(front_end.mean)) / np.array(front_end.std)
    np.testing.assert_allclose(features[0], expected, atol=1e-3)
    assert next(iter(datasets["train"]))[0].shape == (1, 10, 4)
