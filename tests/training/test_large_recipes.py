"""The recipes for corpora that want a GPU begin, learn and end on small ones of the same layout."""

import numpy as np
import pytest
from _shared import quiet

from kerasr import audio, evaluate_run
from kerasr.models.registry import builder, model_facts
from kerasr.recipes import get_recipe
from kerasr.training.trainer import train_recipe

TEXTS = ("once upon a time", "upon a hill", "a time to talk", "the hill upon the sea", "talk of the sea", "to the hill")
PARTS = ("train", "train", "train", "train", "dev", "test")


def speak(path, number):
    """A sound of a second or two."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    audio.write(path, 0.1 * rng.standard_normal(24000 + 1600 * number), 16000)


def librispeech_tree(root):
    for number, (part, text) in enumerate(zip(PARTS, TEXTS, strict=True)):
        chapter = root / f"{part}-clean" / str(number) / "7"
        speak(chapter / f"{number}-7-0000.flac", number)
        (chapter / f"{number}-7.trans.txt").write_text(f"{number}-7-0000 {text.upper()}\n")


def common_voice_tree(root):
    for part in ("train", "dev", "test"):
        (root / f"{part}.tsv").parent.mkdir(parents=True, exist_ok=True)
        (root / f"{part}.tsv").write_text("client_id\tpath\tsentence\n")
    for number, (part, text) in enumerate(zip(PARTS, TEXTS, strict=True)):
        speak(root / "clips" / f"{number}.mp3", number)
        with (root / f"{part}.tsv").open("a") as table:
            table.write(f"{number}\t{number}.mp3\t{text.capitalize()}.\n")


def ljspeech_tree(root):
    # (So many that each split by the names' hashes has some.)
    lines = [f"LJ001-{number:04}|{text}|{text}\n" for number, text in enumerate(3 * TEXTS)]
    for number in range(len(lines)):
        speak(root / "wavs" / f"LJ001-{number:04}.wav", number % len(TEXTS))
    (root / "metadata.csv").write_text("".join(lines))


TREES = {"librispeech": librispeech_tree, "common-voice": common_voice_tree, "ljspeech": ljspeech_tree}


@pytest.mark.full
@pytest.mark.parametrize("name", TREES)
def test_a_recipe_for_a_large_corpus_runs_on_a_small_one(name, tmp_path):
    TREES[name](tmp_path / "corpus")
    config = get_recipe(name)
    narrow = {**config.model.options, **model_facts(config.model.name).narrow}
    config = config.replace(
        data=str(tmp_path / "corpus"), out=str(tmp_path / "runs"), model_options=narrow, epochs=2, batch_size=2
    )
    run = train_recipe(config, console=quiet())
    assert all(np.isfinite(row["loss"]) for row in run.history)
    assert 1 <= evaluate_run(run).metrics["num_clips"] == len(run.utterances("test"))


@pytest.mark.full
def test_the_conformer_for_librispeech_is_the_one_of_13_million_weights():
    config = get_recipe("librispeech")
    network = builder("Conformer")(config.features.shape, 1 + config.task.vocabulary_size, **config.model.options)
    assert network.count_params() == pytest.approx(13e6, rel=0.1)
