"""docs/your-words.md: each layout that it draws is read as it says, and its manifests are manifests."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kerasr.data import load_corpus, split_corpus
from kerasr.data.manifest import read_manifest

PAGE = (Path(__file__).parents[1] / "docs" / "your-words.md").read_text("utf-8")
# A drawn tree, and the pattern of the command right below it.
TREES = re.findall(r"```text\nmy_words/\n(.*?)```\n(?:\n    [^\n]*--speaker-pattern '([^\n]*)')?", PAGE, re.DOTALL)


def draw(root, tree):
    """Make the recordings of a drawn tree."""
    folders = [root]
    for line in tree.splitlines():
        lead, name = re.fullmatch(r"([│├└─ ]*)(.*)", line).groups()
        del folders[len(lead) // 4 :]
        folders.append(folders[-1] / name)
        if name.endswith(".wav"):
            folders[-1].parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(folders[-1], np.sin(np.arange(800)), 8000)
    return str(root)


@pytest.mark.parametrize(("tree", "pattern"), TREES)
def test_each_layout_is_read_as_it_is_drawn(tmp_path, tree, pattern):
    corpus = load_corpus(draw(tmp_path / "my_words", tree), speaker_pattern=pattern or None)
    assert corpus.labels == ("no", "yes")
    names = {*re.findall(r"anna|ben|chen|speaker_\d+", tree)}
    assert {*corpus.speakers} == names
    assert corpus.has_official_split == ("train/" in tree)
    if len(names) > 2:
        assert split_corpus(corpus)[1].startswith("by speaker")


def test_the_manifests_are_alike(tmp_path):
    blocks = dict(re.findall(r"```(csv|json)\n(.*?)```", PAGE, re.DOTALL))
    for suffix, text in blocks.items():
        (tmp_path / f"mine.{suffix}{'l' * (suffix == 'json')}").write_text(text)
    first, second = (read_manifest(tmp_path / name).utterances for name in ("mine.csv", "mine.jsonl"))
    assert first == second
    assert [(item.label, item.speaker, item.extra) for item in first][1] == ("yes", "ben", {"room": "car"})


def test_the_program_lists_a_flat_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("recordings").mkdir()
    for name in ("yes_anna_3.wav", "no_ben_1.wav"):
        Path("recordings", name).touch()
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(program, {})
    with open("mine.csv") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["no", "yes"]
    assert read_manifest("mine.csv").speakers == ("anna", "ben")
