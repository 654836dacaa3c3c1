"""A pretrained model is measured as a run is: its transcripts against a corpus's texts, and a report of both."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from _errors import raises

from kerasr import audio, evaluate
from kerasr.config import DecodingConfig
from kerasr.data import load_corpus
from kerasr.data.manifest import Utterance, write_manifest
from kerasr.evaluation.pretrained import TRAINING_UNKNOWN, evaluate_pretrained
from kerasr.pretrained.transcriber import load_transcriber
from kerasr.tasks.transcribe import Transcript

TEXTS = ("ONE, TWO", "three", "Four one", "two", "four four")
NUMBERS = ("zero", "one", "two", "three", "four")
# What is written of them: a word is left out, one is taken for another, one is put in.
WRITTEN = ("one two", "Three!", "one", "Three", "four, four. One")


@pytest.fixture(scope="module")
def whisper(whisper_folder):
    return load_transcriber(f"hub:{whisper_folder}")


@pytest.fixture
def writer(whisper, monkeypatch):
    """A Whisper that writes `WRITTEN` of the recordings that can be read."""

    def predict(path):
        audio.read(path, 16_000)
        return Transcript(text=WRITTEN[int(Path(path).stem)], confidence=0.5, path=path)

    monkeypatch.setattr(whisper, "predict", predict)
    return whisper


@pytest.fixture
def manifest(tmp_path):
    """Recordings of two speakers with texts, the first of them not in the test."""
    rng, items = np.random.default_rng(3), []
    for number, text in enumerate(TEXTS):
        path = tmp_path / f"{number}.wav"
        audio.write(str(path), (0.1 * rng.standard_normal(6000)).astype(np.float32), 16_000)
        facts = {"split": "test" if number else "train", "extra": {"room": "hall" if number < 3 else "office"}}
        items.append(Utterance(str(path), text=text, speaker="ab"[number % 2], **facts))
    write_manifest(str(tmp_path / "talks.csv"), items)
    return tmp_path / "talks.csv"


def test_the_scores_are_those_of_its_texts_and_nothing_is_told_that_it_does_not_know(writer, manifest, tmp_path):
    corpus = load_corpus(str(manifest), min_labels=0)
    evaluation = evaluate_pretrained(writer, corpus, "test", folder=tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["wer"] == evaluation.metrics["wer"] == 3 / 6
    kinds = [metrics[f"num_{kind}"] for kind in ("substitutions", "deletions", "insertions", "correct")]
    assert kinds == [1, 1, 1, 1]
    assert metrics["wer_interval"]
    assert {row["speaker"] for row in metrics["speakers"]} == {"a", "b"}
    assert {row["group"] for row in metrics["groups"]["room"]} == {"hall", "office"}
    assert metrics["pretrained"] == writer.name
    assert metrics["parameters"] > 0
    assert metrics["decoding"] == {}
    assert TRAINING_UNKNOWN in metrics["notes"]
    assert {"calibration", "latency_ms", "model_bytes", "run", "labels"}.isdisjoint(metrics)
    assert not list((tmp_path / "out" / "pictures").glob("alignment*"))
    # Of those with errors, each can be played.
    assert evaluation.report.read_text().count("<audio") == 3


def test_numbers_are_said_in_words(whisper, manifest, tmp_path, monkeypatch):
    texts = [re.sub("one|two|three|four", lambda word: str(NUMBERS.index(word[0])), text.lower()) for text in TEXTS]
    monkeypatch.setattr(whisper, "predict", lambda path: Transcript(text=texts[int(Path(path).stem)], confidence=0.5))
    corpus = load_corpus(str(manifest), min_labels=0, numbers="en")
    assert evaluate_pretrained(whisper, corpus, folder=tmp_path / "as_written").metrics["wer"] == 1
    assert evaluate_pretrained(whisper, corpus, numbers="en", folder=tmp_path / "said").metrics["wer"] == 0
    with raises("settings-conflict", "--spell-numbers"):
        evaluate.main(["digits", "--spell-numbers", "en"])


def test_recordings_that_cannot_be_read_are_left_out_and_counted(writer, manifest, tmp_path, capsys):
    corpus = load_corpus(str(manifest), min_labels=0)
    (tmp_path / "2.wav").write_text("none")
    with raises("too-many-bad-recordings", "2.wav"):
        evaluate_pretrained(writer, corpus, folder=tmp_path / "out", max_bad=0)
    evaluation = evaluate_pretrained(writer, corpus, folder=tmp_path / "out", max_bad=1)
    assert evaluation.metrics["num_clips"] == 4
    assert "2.wav" in capsys.readouterr().err


def test_it_is_measured_on_sound_with_texts(writer, manifest, tmp_path):
    shutil.copy(tmp_path / "0.wav", tmp_path / "mute.wav")
    write_manifest(str(tmp_path / "mute.csv"), [Utterance(str(tmp_path / "mute.wav"))])
    with raises("text-missing", "mute.wav"):
        evaluate_pretrained(writer, load_corpus(str(tmp_path / "mute.csv"), min_labels=0))
    with raises("split-not-found", "validation"):
        evaluate_pretrained(writer, load_corpus(str(manifest), min_labels=0), "validation")


def test_what_it_writes_that_is_as_wrong_as_silence_is_judged(writer):
    (judgement,) = writer.task.judge({"wer": 1.0})
    assert judgement.code == "worse_than_constant"
    assert not writer.task.judge({"wer": 0.99})


def test_a_beam_of_one_is_told_as_greedy(whisper):
    whisper.decode_with(DecodingConfig(beam=3))
    assert (whisper.beam, whisper.task.decoding) == (3, {"beam": 3})
    whisper.decode_with(DecodingConfig(beam=1))
    assert (whisper.beam, whisper.task.decoding) == (1, {})


def test_evaluate_takes_it_and_keeps_what_was_measured_on_other_recordings(
    whisper_folder, manifest, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = [f"hub:{whisper_folder}", "--data", str(manifest), "--split", "train"]
    evaluate.main([*words, "--beam", "2", "--json"])
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["decoding"] == {"beam": 2}
    place = tmp_path / "runs" / "evaluations" / whisper_folder.name
    written = place / "talks-train" / "metrics.json"
    assert json.loads(written.read_text())["wer"] == metrics["wer"]
    # (As if it had been another folder's of that name.)
    written.write_text(json.dumps(metrics | {"pretrained": "hub:elsewhere"}))
    evaluate.main(words)
    shown = capsys.readouterr().out
    assert "WER" in shown
    assert "--manifest labels.csv" in shown
    assert (place / "talks-train-2" / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("hub:small", "setting-missing"),
        ("hub:small --data talks.csv --tune-lm --lm training", "task-unsupported"),
        ("stream hub:small", "task-unsupported"),
        ("suspects hub:small", "task-unsupported"),
        ("unlabelled hub:small new", "task-unsupported"),
    ],
)
def test_what_needs_a_run_is_said(words, code):
    with raises(code, "hub:small"):
        evaluate.main(words.split())


def test_what_needs_a_language_model_is_said(whisper_folder, manifest):
    with raises("task-unsupported", "--beam"):
        evaluate.main([f"hub:{whisper_folder}", "--data", str(manifest), "--words", "training"])
