"""The benchmark of strings by unseen speakers: what is scored, and what is told of it."""

import json
import runpy
from pathlib import Path

import pytest

from kerasr.audio.joined import split_path
from kerasr.data import Corpus, Utterance

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study():
    """The script."""
    return runpy.run_path(str(ROOT / "benchmarks" / "connected_digits.py"))


def test_a_speaker_is_measured_on_strings_of_his_in_which_each_recording_stands_twice(study, monkeypatch):
    recordings = tuple(
        Utterance(f"/{number}.wav", "one", speaker=("theo", "lucas")[number % 2]) for number in range(80)
    )
    monkeypatch.setitem(study["main"].__globals__, "load_corpus", lambda _: Corpus("fsdd", recordings))
    strings = study["strings_of"].__wrapped__("theo")
    assert {item.speaker for item in strings} == {"theo"}
    assert {len(item.text.split()) for item in strings} <= {3, 4, 5, 6, 7}
    parts = [path for item in strings for path in split_path(item.path)[0]]
    assert max(map(parts.count, parts)) == 2
    assert len(parts) >= 2 * (40 - 2)


def test_digits_are_counted_and_strings_by_their_length(study):
    strings = [Utterance(text, text=text) for text in ("one two three", "one one one", "one two three four")]
    found = study["score"](["one two three", "one one", "one two tree four six"], strings)
    assert (found["num_words"], found["num_substitutions"], found["num_deletions"]) == (10, 1, 1)
    assert found["wer"] == pytest.approx(0.3)
    assert found["right"] == {"3": [1, 2], "4": [0, 1], "5": [0, 0], "6": [0, 0], "7": [0, 0]}


def test_a_mean_is_that_of_all_six(study, tmp_path):
    def measured(speaker, seed, wer):
        right = {str(length): [1, 2] for length in range(3, 8)}
        scores = {study["GREEDY"]: {"wer": wer, "right": right}}
        result = {"speaker": speaker, "seed": seed, "scores": {speaker: scores}, "processor_minutes": 15}
        (tmp_path / f"{speaker}-{seed}.json").write_text(json.dumps(result))

    for speaker in list(study["SPEAKERS"])[:5]:
        measured(speaker, 0, 0.1)
    assert study["figures"](tmp_path) == {"greedy mean": "", "minutes": "15"}
    measured("yweweler", 0, 0.3)
    measured("yweweler", 1, 0.5)
    assert study["figures"](tmp_path)["greedy mean"] == "15.0%"
    tables = study["tables"](tmp_path)
    assert "| 40.0% | **15.0%** |" in tables["speakers"]
    assert "| 50.0% |" in tables["lengths"]
    assert "| here | 15.0% |" in tables["others"]
