"""Sentences of tones, written down: from a manifest with texts to a transcript."""

import json
import re
import runpy
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from _errors import raises
from _shared import SPEC, quiet

from kerasr import Run, audio, evaluate, evaluate_run, from_preset, listen, load_run, predict
from kerasr.config import DecodingConfig, FeatureSpec, OptimizerConfig, TaskConfig, TrainConfig
from kerasr.core.extras import EXTRAS
from kerasr.core.scores import format_decoding
from kerasr.data.clips import pad_clips
from kerasr.data.manifest import Corpus, Utterance, read_manifest, write_manifest
from kerasr.decoding.kneser_ney import estimate_ngrams
from kerasr.decoding.ngram import write_arpa
from kerasr.evaluation import decoder_tuning, evaluator
from kerasr.evaluation.comparison import compare_runs
from kerasr.exporters import export_litert, export_onnx, export_serving
from kerasr.exporters.saved_model import spell
from kerasr.inference.transcriber import Transcriber
from kerasr.metrics.transcription import word_pairs
from kerasr.recipes import get_recipe
from kerasr.runs.decoding import make_decoder
from kerasr.tasks.transcribe import Transcribe
from kerasr.training.preparation import prepare_run
from kerasr.training.trainer import resume_run, train_recipe

PITCHES = {"low": 300, "mid": 900, "top": 2500}


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """A manifest of sentences of one to three tones, by six speakers."""
    root = tmp_path_factory.mktemp("sentences")
    rng = np.random.default_rng(0)
    utterances = []
    for number in range(72):
        words = list(rng.choice([*PITCHES], rng.integers(1, 4)))
        parts = [0.003 * rng.standard_normal(800)]
        for word in words:
            time = np.arange(int(rng.uniform(0.3, 0.4) * 8000)) / 8000
            tone = 0.3 * np.sin(2 * np.pi * PITCHES[word] * rng.uniform(0.95, 1.05) * time)
            parts += [tone, 0.003 * rng.standard_normal(1000)]
        path = root / f"{number}.wav"
        audio.write(path, np.concatenate(parts), 8000)
        utterances.append(Utterance(str(path), text=" ".join(words).title() + ".", speaker=f"speaker{number % 6}"))
    write_manifest(root / "sentences.csv", utterances)
    return root / "sentences.csv"


@pytest.fixture(scope="module")
def config(sentences, tmp_path_factory):
    return get_recipe("sentences").replace(
        data=str(sentences),
        out=str(tmp_path_factory.mktemp("runs")),
        features=FeatureSpec(**{**vars(SPEC), "clip_seconds": None}),
        model_options={"units": 24, "filters": 8, "num_layers": 1, "dropout": 0.0},
        augment=type(get_recipe("sentences").augment)(),
        optimizer=OptimizerConfig(learning_rate=1e-2),
        epochs=8,
        passes=4,
        batch_size=8,
    )


@pytest.fixture(scope="module")
def run(config):
    return train_recipe(config, console=quiet())


@pytest.mark.usefixtures("scores_alone")
def test_it_learns_to_write_down_what_is_said(run):
    found = evaluate_run(run)
    assert found.metrics["wer"] < 0.3


@pytest.mark.usefixtures("scores_alone")
def test_a_preset_brings_its_trigram_and_its_weights(run, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "data_scripts"))
    make = runpy.run_path(str(Path(__file__).parents[2] / "data_scripts" / "make_preset.py"))["make_preset"]
    copy = load_run(shutil.copytree(run.path, tmp_path / "run"))
    place = make("tunes", copy.path, folder=tmp_path / "presets", limits=[])
    monkeypatch.setenv("KERASR_PRESETS", str(place.parent))
    preset, decoding = from_preset("tunes"), DecodingConfig(lm="training", words="training")
    assert not preset.utterances("train")
    one, other = make_decoder(preset, decoding), make_decoder(load_run(copy.path), decoding)
    assert one.options == other.options
    heard = preset.predict_files([run.utterances("test")[0].path])[0]
    assert one.decode(heard) == other.decode(heard) != ""
    assert f"{preset.metrics['with_lm']['wer']:.1%}" in (place / "card.md").read_text()


@pytest.mark.full
@pytest.mark.parametrize(
    ("vocabulary", "settings"),
    [("words", {"passes": 2}), ("pieces", {"vocabulary_size": 20})],
)
def test_words_and_pieces_are_learnt_told_and_exported_as_characters_are(
    config, vocabulary, settings, tmp_path, request
):
    spelling = request.getfixturevalue("run")
    run = load_run(train_recipe(config.replace(vocabulary=vocabulary, **settings), console=quiet()).path)
    assert {" low", " mid", " top"} <= {*run.labels}
    assert run.task.vocabulary.kind == vocabulary
    assert run.task.monitor.column in run.history[-1]
    metrics = evaluate_run(run).metrics
    assert metrics["wer"] < 0.3
    items = run.utterances("test")
    answers = run.predict([item.path for item in items])
    for answer in answers:
        assert [word.text for word in answer.words] == answer.text.split()
        times = [time for word in answer.words for time in (word.start, word.end)]
        assert times == sorted(times)
    run.decode_with(DecodingConfig(lm="training", words="training"))
    assert evaluate_run(run).metrics["wer"] < 0.3
    run.decode_with(DecodingConfig())
    version, _ = export_serving(run, tmp_path / "serving")
    served = tf.saved_model.load(str(version))
    for item, answer in zip(items[:3], answers, strict=False):
        found = served.signatures["serving_default"](tf.constant(audio.read(item.path)[0][None]))
        assert found["text"].numpy()[0].decode() == answer.text
    assert len(compare_runs([spelling, run])["pairs"]) == 1


@pytest.fixture
def prepared(config):
    """A run of pieces before its first step."""
    pytest.importorskip("sentencepiece")
    return prepare_run(config.replace(vocabulary="pieces", vocabulary_size=20), quiet())


def test_a_run_of_pieces_needs_nothing_but_its_own_file(prepared, monkeypatch):
    assert "pieces" in prepared.task.about()
    monkeypatch.setitem(EXTRAS, "pieces", EXTRAS["pieces"].__class__("pieces", ("no_such_package",)))
    run = load_run(prepared.path)
    assert run.task.vocabulary == prepared.task.vocabulary
    assert run.task.monitor.name == "ter"
    text = "low mid top low"
    token_ids = run.task.vocabulary.encode(text)
    probs = np.zeros((2 * len(token_ids), 1 + len(run.labels)), np.float32)
    probs[::2, 0] = probs[range(1, len(probs), 2), token_ids] = 1
    for decoding in (DecodingConfig(), DecodingConfig(beam=4, words="training", lm="training", hot_words="top")):
        run.decode_with(decoding)
        answer = run.task.decode(probs, 0.0)
        assert answer.text == " ".join(word.text for word in answer.words) == text
    with raises("text-unwritable", "'z'"):
        run.decode_with(DecodingConfig(hot_words="zip"))


@pytest.mark.parametrize("scores", [None, [], [-1.0], ["a"], "all"])
def test_a_run_whose_scores_of_pieces_are_damaged_says_so(prepared, tmp_path, scores):
    path = shutil.copytree(prepared.path, tmp_path / "run")
    facts = json.loads((path / "run.json").read_text())
    if scores is None:
        del facts["piece_scores"]
    else:
        facts["piece_scores"] = [-1.0] * 3000 if scores == "all" else scores
    (path / "run.json").write_text(json.dumps(facts))
    with raises("run-damaged", "run.json"):
        load_run(path)


def test_how_many_pieces_there_may_be_is_of_pieces(config, tones):
    with raises("settings-conflict", "--vocabulary-size"):
        prepare_run(config.replace(vocabulary_size=20), quiet())
    with raises("settings-conflict", "--vocabulary pieces"):
        prepare_run(TrainConfig().replace(data=str(tones), vocabulary="pieces"), quiet())
    with raises("setting-out-of-range", "--vocabulary-size"):
        prepare_run(config.replace(vocabulary="pieces", vocabulary_size=3), quiet())


@pytest.mark.parametrize("vocabulary", ["characters", "words", "pieces"])
def test_an_exported_graph_joins_tokens_as_a_run_does(vocabulary, rng):
    pytest.importorskip("sentencepiece")
    corpus = Corpus("x", tuple(Utterance("a.wav", text=text) for text in ("low mid", "mid top", "low low")))
    task = Transcribe.of_corpus(corpus, TaskConfig("transcribe", vocabulary=vocabulary, vocabulary_size=12))
    token_ids = rng.integers(1, 1 + len(task.labels), (20, 9))
    # A blank between each two: what follows itself is said twice.
    probs = np.eye(1 + len(task.labels))[np.insert(token_ids, range(1, 9), 0, axis=1)]
    said = spell(tf.constant(token_ids, tf.int32), tf.constant(task.labels)).numpy()
    assert [text.decode() for text in said] == task.decide(probs).tolist()
    assert spell(tf.constant([[1, -1, -1]]), tf.constant(["a"])).numpy() == [b"a"]


@pytest.mark.full
def test_a_killed_training_with_a_decoder_beside_ctc_goes_on_as_if_it_had_not_been(config):
    class Killed(Exception):
        pass

    class Kill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise Killed

    config = config.replace(epochs=2, passes=1, ctc_weight=0.3, vocabulary="pieces", vocabulary_size=20)
    whole = train_recipe(config, console=quiet())
    with pytest.raises(Killed):
        train_recipe(config, console=quiet(), callbacks=[Kill()])
    (killed,) = (path for path in whole.path.parent.iterdir() if load_run(path).facts["status"] == "training")
    resumed = resume_run(killed, console=quiet())
    assert resumed.history == whole.history
    assert {"attention_loss", "val_attention_loss"} <= {*resumed.history[0]}
    for one, other in zip(resumed.network.get_weights(), whole.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Nothing is seen of the decoder once it has learnt.
    (path,) = (item.path for item in whole.utterances("test")[:1])
    assert load_run(resumed.path).predict(path).text == whole.predict(path).text


def test_a_recording_is_predicted_as_it_was_measured(run):
    items = run.utterances("test")
    run = load_run(run.path)
    answers = run.predict([item.path for item in items])
    assert [answer.text for answer in answers] == [item.text.lower().rstrip(".") for item in items]
    assert all(0.5 < answer.confidence <= 1 for answer in answers)
    row = run.task.to_json(answers[0])
    assert (row["text"], row["confidence"]) == (answers[0].text, answers[0].confidence)
    for word, one in zip(row["words"], answers[0].words, strict=True):
        times = {"start": round(one.start, 3), "end": round(one.end, 3)}
        assert word == {"text": one.text, **times, "confidence": one.confidence}
    assert run.task.cells(answers[0])["text"] == answers[0].text


def spoken(waveform):
    """Where a recording of tones is loud, in seconds."""
    loud = np.abs(waveform[: len(waveform) // 80 * 80]).reshape(-1, 80).max(1) > 0.1
    return np.flatnonzero(np.diff(loud)).reshape(-1, 2) / 100


@pytest.fixture(scope="module")
def hearing_thrice(run):
    """The same run, which hears each clip at three speeds."""
    found = load_run(run.path)
    found.decode_with(DecodingConfig(tta_speeds=(0.9, 1.0, 1.1)))
    return found


def test_words_have_their_times_however_they_are_found(run, hearing_thrice):
    items = run.utterances("test")
    searching = load_run(run.path)
    searching.decode_with(DecodingConfig(beam=4))
    for found in (run, searching, hearing_thrice):
        for answer in found.predict([item.path for item in items]):
            assert " ".join(word.text for word in answer.words) == answer.text
            for word, (start, end) in zip(answer.words, spoken(audio.read(answer.path)[0]), strict=True):
                assert min(word.end, end) - max(word.start, start) > 0
                assert 0 <= word.start < word.end <= answer.end
                assert 0 < word.confidence <= 1
            assert answer.confidence == pytest.approx(
                np.exp(np.mean([np.log(word.confidence) for word in answer.words]))
            )


def test_several_speeds_are_told_and_given_up_again(run, hearing_thrice):
    assert "0.9, 1, 1.1" in format_decoding(hearing_thrice.task.decoding)
    waveform = audio.read(run.utterances("test")[0].path)[0]
    own = run.probs([waveform])
    np.testing.assert_array_equal(hearing_thrice.probs([waveform], own_speed=True), own)
    found = load_run(run.path)
    found.decode_with(DecodingConfig(tta_speeds=(0.5,)))
    found.decode_with(DecodingConfig())
    np.testing.assert_array_equal(found.probs([waveform]), own)


@pytest.mark.parametrize("by", ["run", "hearing_thrice"])
def test_neither_the_batch_nor_its_padding_changes_a_confidence(request, by):
    run = request.getfixturevalue(by)
    paths = [item.path for item in run.utterances("test")]
    together = run.predict(paths)
    for path, answer in zip(paths, together, strict=True):
        alone = run.predict(path)
        assert alone.confidence == pytest.approx(answer.confidence, abs=1e-4)
        assert [(word.text, word.start) for word in alone.words] == [(word.text, word.start) for word in answer.words]


def test_words_are_told_with_their_times_and_written_as_subtitles(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # So that no path takes two lines.
    paths = [shutil.copy(item.path, tmp_path) for item in run.utterances("test")[:2]]
    answers = run.predict(paths)
    predict.main([str(run.path), *paths, "--timestamps", "--subtitles", "srt"])
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["recording", "word", "start", "end", "confidence"]
    words = [word for answer in answers for word in answer.words]
    for row, word in zip(rows, words, strict=False):
        assert row.split()[-6:-1] == [word.text, f"{word.start:.2f}", "s", f"{word.end:.2f}", "s"]
    files = [tmp_path / f"{Path(path).stem}.srt" for path in paths]
    assert rows[len(words) :] == [f"subtitles in {file}" for file in files]
    assert [file.read_text().splitlines()[2] for file in files] == [answer.text for answer in answers]
    # What is there already may be somebody's own.
    files[0].write_text("mine")
    with pytest.raises(SystemExit):
        predict.main([str(run.path), *paths, "--subtitles", "srt"])
    assert "error[file-taken]" in capsys.readouterr().err
    assert files[0].read_text() == "mine"
    predict.main([str(run.path), paths[0], "--subtitles", "vtt", "--out", str(tmp_path / "new"), "--json"])
    row = json.loads(capsys.readouterr().out)
    assert Path(row["subtitles"]).read_text().startswith("WEBVTT\n\n00:00:0")
    assert [word["text"] for word in row["words"]] == answers[0].text.split()


@pytest.mark.parametrize("flags", [["--timestamps"], ["--subtitles", "srt"]])
def test_a_word_model_has_no_words_with_times(tone_run, tones, flags):
    with raises("task-unsupported"):
        predict.main([str(tone_run), str(tones / "low" / "0.wav"), *flags])


def test_a_network_of_ones_own_has_words_at_the_same_times(run):
    corpus = read_manifest(run.path / "manifest.csv")
    own = Run.from_model(run.network, corpus, run.features, task="transcribe")
    path = run.utterances("test")[0].path
    assert own.predict(path).words == run.predict(path).words
    assert own.facts["stride"] == 4


def test_a_clip_sees_neither_its_batch_nor_its_padding(run):
    waveforms = [audio.read(item.path)[0] for item in run.utterances("test")]
    together = run.logits(waveforms)
    for index, waveform in enumerate(waveforms):
        alone = run.logits([waveform])[0]
        np.testing.assert_allclose(together[index, : len(alone)], alone, atol=1e-4)
        assert (together[index, len(alone) :].argmax(-1) == 0).all()
    # In the model that is saved, exact zeros at the end are padding.
    padded = run.model.predict(np.pad(waveforms[0], (0, 4000))[None], verbose=0)[0]
    np.testing.assert_allclose(padded[: len(alone := run.logits(waveforms[:1])[0])], alone, atol=1e-4)
    assert (padded[len(alone) :].argmax(-1) == 0).all()


@pytest.mark.usefixtures("scores_alone")
def test_confidences_are_calibrated_on_the_validation_and_told_before_and_after(run, tmp_path):
    loaded = load_run(run.path)
    assert loaded.task.calibration == run.task.calibration
    assert asdict(loaded.task.calibration) == loaded.facts["calibration"]
    item = loaded.utterances("test")[0]
    calibrated = loaded.predict(item.path).words[0].confidence
    metrics = evaluate_run(loaded, "test", folder=tmp_path / "test").metrics["calibration"]
    raw = loaded.task.calibration
    loaded.task.calibration = None
    assert calibrated == raw(loaded.predict(item.path).words[0].confidence)
    before = evaluate_run(loaded, "test", folder=tmp_path / "raw").metrics["calibration"]
    assert metrics["ece_uncalibrated"] == before["ece"]
    # Of the clips that it was fitted on, nothing is told but what the network said.
    loaded.task.calibration = raw
    assert "ece_uncalibrated" not in evaluate_run(loaded, "validation", folder=tmp_path / "own").metrics["calibration"]


def test_the_report_tells_the_errors(run, tmp_path):
    found = evaluate_run(run, "validation", folder=tmp_path)
    metrics = found.metrics
    assert metrics["headline"].startswith("WER ")
    assert metrics["num_words"] == sum(len(item.text.split()) for item in run.utterances("validation"))
    page = found.report.read_text()
    assert "WER" in page
    # Each word is heard at the times that the run tells.
    heard = {*re.findall(r'data-start="(.*?)" data-end="(.*?)">(?!<del>)', page)}
    answers = run.predict([item.path for item in run.utterances("validation")])
    assert heard
    assert heard <= {(f"{word.start:.3f}", f"{word.end:.3f}") for answer in answers for word in answer.words}
    drawn = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert {"lengths", "speakers", "alignment-1"} <= drawn
    assert metrics["decoding"] == {}
    assert {"word errors", "character errors"} <= {*run.task.rows(metrics)}


def test_a_language_model_and_a_list_of_words_are_searched_with(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(decoder_tuning, "LM_WEIGHTS", (0.5, 1.0))
    monkeypatch.setattr(decoder_tuning, "WORD_BONUSES", (0.0, 1.0))
    item = run.utterances("test")[0]
    said = item.text.lower().rstrip(".")
    folder = shutil.copytree(run.path, tmp_path / "run")
    words = tmp_path / "words.txt"
    words.write_text("Low\nmid top\nétranger\n", "utf-8")
    write_arpa(estimate_ngrams([said.split()] * 3, 2), tmp_path / "lm.arpa.gz")
    evaluate.main([str(folder), "--lm", "training", "--words", str(words), "--tune-lm", "--json"])
    told = capsys.readouterr()
    assert json.loads(told.out)["wer"] <= 0.1
    assert "1 of its 4 words" in told.err
    assert "étranger" in told.err
    assert (folder / "pictures" / "decoding.png").exists()
    chosen = load_run(folder).facts["decoding"]
    assert chosen["calibration"]["num_words"] > 0
    assert chosen["validation_wer"] == min(row["wer"] for row in chosen["grid"])
    for flags in (["--lm", str(tmp_path / "lm.arpa.gz")], ["--words", "training"], ["--beam", "4"]):
        predict.main([str(folder), item.path, *flags, "--json"])
        assert json.loads(capsys.readouterr().out)["text"] == said
    words.write_text("low\n")
    write_arpa(estimate_ngrams([["xyz"], ["low"]], 1), tmp_path / "other.arpa")
    capsys.readouterr()
    found = load_run(folder)
    make_decoder(found, DecodingConfig(lm=str(tmp_path / "other.arpa")))
    assert "'xyz'" in capsys.readouterr().err
    found.decode_with(DecodingConfig(words=str(words)))
    assert {*found.predict(item.path).text.split()} <= {"low"}
    found.decode_with(DecodingConfig(words=str(words), hot_words="Mid, Top"))
    assert found.predict(item.path).text == said
    assert found.task.decoding["hot_words"] == ["mid", "top"]
    # Weights are those that were chosen, for the same language model and words alone.
    again = make_decoder(found, DecodingConfig(lm="training", words=chosen["words"]))
    assert (again.options.lm_weight, again.options.word_bonus) == (chosen["lm_weight"], chosen["word_bonus"])
    assert make_decoder(found, DecodingConfig(lm="training")).options.lm_weight == 1
    # Where none is named, the model is that of the training texts. (Pages take long.)
    monkeypatch.setattr(evaluator, "write_report", lambda *_, **__: None)
    evaluate.main([str(folder), "--tune-lm", "--json"])
    assert (
        json.loads(capsys.readouterr().out)["decoding"]["lm"] == load_run(folder).facts["decoding"]["lm"] == "training"
    )


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--lm", "nowhere.arpa"], "language-model-not-found"),
        (["--words", "nowhere.txt"], "words-not-found"),
        (["--words", "empty.txt"], "words-damaged"),
        (["--words", "other.txt"], "language-model-differs"),
        (["--hot-words", "low,xyz"], "text-unwritable"),
        (["--hot-words", ", "], "setting-out-of-range"),
    ],
)
def test_what_is_wrong_with_a_decoder_is_told(run, tmp_path, monkeypatch, flags, code):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "other.txt").write_text("xyz\n")
    with raises(code):
        evaluate.main([str(run.path), *flags])


def test_words_are_not_decoded(tone_run):
    for options in (DecodingConfig(beam=3), DecodingConfig(tta_speeds=(0.9, 1.0))):
        with raises("task-unsupported"):
            load_run(tone_run).decode_with(options)
    with raises("task-unsupported"):
        evaluate.main([str(tone_run), "--tune-lm"])


def test_several_speeds_are_of_whole_clips_and_a_way_to_decode(run, config):
    recording = run.utterances("test")[0].path
    with raises("settings-conflict"):
        listen.main([str(run.path), "--file", recording, "--tta-speeds", "0.9", "1"])
    with raises("settings-conflict"):
        train_recipe(config.replace(**{"model.tta_speeds": (0.9, 1.0)}))


def test_an_export_writes_the_text(run, tmp_path):
    version, check = export_serving(run, tmp_path / "sentences")
    assert (check.agreement, check.accuracy_after) == (1, check.accuracy_before)
    waveforms = [audio.read(item.path)[0] for item in run.utterances("test")[:3]]
    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    found = signature(waveform=pad_clips(waveforms))
    assert [text.decode() for text in found["text"].numpy()] == [answer.text for answer in run.predict(waveforms)]


@pytest.mark.full
@pytest.mark.parametrize("quantize", ["none", "dynamic", "int8"])
def test_a_phone_makes_no_more_word_errors(run, tmp_path, quantize):
    _, check = export_litert(run, tmp_path / "a.tflite", quantize=quantize)
    assert check.wer_after <= check.wer_before + 0.005
    assert (check.agreement == 1) or quantize != "none"


@pytest.mark.full
def test_onnx_makes_the_same_word_errors(run, tmp_path):
    _, check = export_onnx(run, tmp_path / "a.onnx")
    assert (check.agreement, check.wer_after) == (1, check.wer_before)


def test_a_text_that_is_too_long_for_its_recording_is_left_out(run, sentences):
    task, items = run.task, run.utterances("train")
    long = replace(items[0], text="low mid top " * 20)
    corpus = Corpus("x", (long, *items[1:]), source=str(sentences))
    kept, more, facts = task.add_training_clips(run.config, corpus, run.features, load_run)
    assert (kept.utterances, more, facts) == (tuple(items[1:]), (), {})
    assert [path for path, _ in kept.bad] == [long.path]
    with raises("too-many-bad-recordings", long.path):
        task.add_training_clips(run.config.replace(max_bad=0), corpus, run.features, load_run)
    foreign = replace(items[1], text="low xyz")
    with raises("text-unwritable"):
        task.add_training_clips(run.config, replace(corpus, utterances=(foreign,)), run.features, load_run)
    # In the test it is bad; a split of which nothing is left is none.
    foreign = replace(foreign, split="test")
    corpus = replace(corpus, utterances=(*items, *run.utterances("test"), foreign))
    kept, *_ = task.add_training_clips(run.config, corpus, run.features, load_run)
    assert [path for path, _ in kept.bad] == [foreign.path]
    with raises("recordings-unusable", foreign.path):
        corpus = replace(corpus, utterances=(*items, foreign))
        task.add_training_clips(run.config, corpus, run.features, load_run)


def test_what_cannot_be_learnt_is_named_before_it_is_read(config, sentences, monkeypatch):
    bad = {"mute": "", "mark": "?!", "long": "low"}
    for name in bad:
        shutil.copy(sentences.parent / "0.wav", sentences.parent / f"{name}.wav")
    audio.write(sentences.parent / "long.wav", np.full(8000 * 3, 0.01, np.float32), 8000)
    monkeypatch.setattr(Transcribe, "longest", 2.5)
    rows = [f"{name}.wav,,{text},speaker0,," for name, text in bad.items()]
    whole = sentences.with_name("bad.csv")
    whole.write_text("\n".join([sentences.read_text().strip(), *rows]))
    config = config.replace(data=str(whole))
    with raises("too-many-bad-recordings", "mute.wav"):
        prepare_run(config.replace(max_bad=2), quiet())
    prepared = prepare_run(config.replace(max_bad=3), quiet())
    assert [Path(path).stem for path, _ in prepared.facts["corpus"]["bad"]] == [*bad]


@pytest.mark.usefixtures("scores_alone")
def test_others_recordings_are_measured_where_there_is_something_to_measure(run, tmp_path):
    items = [*run.utterances("test")]
    others = [replace(items[0], text="xyz low"), replace(items[1], text=""), *items[2:]]
    corpus = Corpus("x", tuple(others), source="x")
    evaluation = evaluate_run(run, corpus=corpus, folder=tmp_path / "out", max_bad=1)
    assert evaluation.metrics["num_clips"] == len(items) - 1
    assert evaluation.metrics["unwritable"] == {"num_clips": 1, "paths": [items[0].path], "tokens": ["x", "y", "z"]}
    assert any(items[0].path in note for note in evaluation.notes)
    with raises("too-many-bad-recordings", items[1].path):
        evaluate_run(run, corpus=corpus, folder=tmp_path / "out", max_bad=0)
    with raises("text-unwritable", items[0].path):
        evaluate_run(run, corpus=replace(corpus, utterances=(replace(items[0], text="xyz"),)), folder=tmp_path / "out")


def test_what_wants_a_word_a_clip_says_so(run):
    recording = run.utterances("test")[0].path
    with raises("task-unsupported"):
        predict.main([str(run.path), recording, "--explain"])
    for flags in (["--threshold", "0.5"], ["--carry-state", "--hop-seconds", "0.2"]):
        with raises("task-unsupported"):
            listen.main([str(run.path), "--file", recording, *flags])
    with raises("streaming-unsupported", "BiLSTMEncoder"):
        listen.main([str(run.path), "--file", recording, "--carry-state"])


def test_transcripts_have_settings_that_words_have_not(tone_run, tones):
    for flags in (["--look-ahead-seconds", "1"], ["--beam", "2"]):
        with raises("task-unsupported"):
            listen.main([str(tone_run), "--file", str(tones / "low" / "0.wav"), *flags])
    with raises("task-unsupported"):
        Transcriber(load_run(tone_run))


def test_a_long_recording_and_the_same_live(run, tmp_path, capsys):
    items = [item for split in ("test", "validation", "train") for item in run.utterances(split)]
    waveform = np.concatenate([audio.read(item.path)[0] for item in items])
    assert len(waveform) > 60 * 8000
    audio.write(tmp_path / "long.wav", waveform, 8000)
    answer = run.predict(tmp_path / "long.wav")
    assert answer.end == answer.seconds == len(waveform) / 8000
    assert [word.text for word in answer.words] == answer.text.split()
    # What a network reads in both directions depends on what is 4 s away, if on little of it.
    whole = run.task.decide(run.probs([waveform]))[0]
    pairs = word_pairs(whole, answer.text)
    assert np.mean([one != other for one, other in pairs]) < 0.1
    audio.write(tmp_path / "some.wav", waveform[:48_000], 8000)
    listen.main([str(run.path), "--file", str(tmp_path / "some.wav"), "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[-1]["words"][-1]["text"] == rows[-1]["text"].split()[-1]
    told = ""
    for row in rows:
        assert row.get("partial", row.get("text")).startswith(told)
        told = row.get("partial", "")
    texts = [row["text"] for row in rows if "text" in row]
    listen.main([str(run.path), "--file", str(tmp_path / "some.wav")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1] for line in lines[:-1]] == texts
    view = listen.View(Transcriber(run, live=True))
    view.process(waveform[:80], [answer])
    assert "look-ahead 4.0 s" in view.draw()
    assert answer.text in view.draw()


def test_nothing_is_learnt_from_recordings_without_text():
    with raises("text-missing", "b.wav"):
        Transcribe.of_corpus(Corpus("x", (Utterance("a.wav", text="a"), Utterance("b.wav"))), TaskConfig("transcribe"))
    task = Transcribe((" ", "a"), TaskConfig("transcribe"))
    with raises("text-missing", "b.wav"):
        task.check_utterances([Utterance("b.wav")], "x")


def test_a_model_that_says_nothing_is_told():
    task = Transcribe((" ", "a"), TaskConfig("transcribe"))
    blanks = np.zeros((2, 5, 3), np.float32)
    blanks[..., 0] = 1
    metrics = task.evaluate(None, [Utterance("a.wav", text="a"), Utterance("b.wav", text="a a")], blanks, seed=0)
    assert [judgement.code for judgement in task.judge(metrics)] == ["only_blanks"]
    assert metrics["wer"] == 1
    assert "--optimizer.learning-rate" in task.doubt({"val_cer": 1.0})
    assert task.doubt({"val_cer": 0.99}) is None
