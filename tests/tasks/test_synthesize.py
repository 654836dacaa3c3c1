"""A voice of tones: from recordings with texts to speech of other texts, and what is said of it."""

import json
from dataclasses import replace

import pytest
from _errors import raises
from _shared import quiet

from kerasr import audio, evaluate_run, load_run
from kerasr.data.manifest import Corpus, read_manifest, write_manifest
from kerasr.data.spoken_text import spoken_text
from kerasr.data.word_times import WORD_TIMES
from kerasr.decoding.alignment import FrameTimes
from kerasr.evaluation.voice import measure_voice
from kerasr.inference.synthesizer import make_synthesizer
from kerasr.models.registry import builder
from kerasr.tasks import token_alignment, token_durations
from kerasr.tasks.token_durations import DURATIONS, SLACK, add_durations, parse_durations
from kerasr.text.phonemes import phonemize
from kerasr.train import next_command
from kerasr.training.preparation import prepare_run


def test_a_run_knows_its_voices_and_characters(voice_run):
    run = load_run(voice_run.path)
    assert run.task.voices == ("speaker0", "speaker1")
    assert [*run.labels] == sorted({*"low mid top"})
    assert run.history[-1]["val_loss"] > 0


def test_what_to_type_next_is_to_let_it_speak(voice_run):
    assert "kerasr.synthesize" in next_command(voice_run)


def test_each_recording_says_how_long_its_characters_are(voice_run):
    spec = voice_run.config.features
    items = [item for split in ("train", "validation", "test") for item in voice_run.utterances(split)]
    assert len(items) == 24
    for item in items:
        frames = [int(count) for count in item.extra[DURATIONS].split()]
        assert len(frames) == len(f" {item.text} ")
        assert min(frames) > 0
        assert sum(frames) == spec.num_frames(round((item.duration or 0) * spec.sample_rate))


def test_a_voice_speaks_as_long_as_its_recordings(voice_run):
    items = voice_run.utterances("validation")
    wanted = sum(sum(parse_durations(item)) for item in items)
    spec, say = voice_run.config.features, voice_run.synthesizer.say
    said = [spec.num_frames(len(next(say(item.text, item.speaker)).waveform)) for item in items]
    assert voice_run.facts["length_factor"] != 1
    # (A token has one frame at least, and a sum is rounded.)
    assert sum(said) == pytest.approx(wanted, rel=0.02)


def test_durations_that_recordings_bring_are_kept(voice_run, voice_config, tmp_path):
    write_manifest(tmp_path / "given.csv", read_manifest(voice_run.path / "manifest.csv").utterances)
    run = prepare_run(voice_config.replace(data=str(tmp_path / "given.csv"), out=str(tmp_path)), quiet())
    assert [item.extra[DURATIONS] for item in run.utterances("train")] == [
        item.extra[DURATIONS] for item in voice_run.utterances("train")
    ]


def test_durations_that_are_no_text_s_own_are_named(voice_run, voice_config, monkeypatch):
    aligned = []
    monkeypatch.setattr(token_durations, "_align", lambda items, *_: aligned.extend(items) or items)
    items = read_manifest(voice_run.path / "manifest.csv").utterances
    untold = {name: value for name, value in items[0].extra.items() if name != DURATIONS}
    told = ("4 x 4", "4 -4 4", "1 2", "999 1 1 1 1")
    bad = [replace(item, extra={DURATIONS: each}) for item, each in zip(items[1:], told, strict=False)]
    corpus = Corpus("told", (replace(items[0], extra=untold), *bad, *items[5:]))
    settings = corpus, voice_run.task.vocabulary, voice_run.features
    found = add_durations(voice_config.replace(max_bad=4), *settings).utterances
    assert found == (*items[5:], corpus.utterances[0])
    assert aligned == [corpus.utterances[0]]
    with raises("too-many-bad-recordings", match="durations"):
        add_durations(voice_config.replace(max_bad=3), *settings)


def test_a_voice_of_phonemes_says_texts_by_how_they_are_said(voice_config, tone_texts, tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader")
    monkeypatch.setattr(token_alignment, "STEPS", 20)
    config = voice_config.replace(data=str(tone_texts), phonemes="en-us", out=str(tmp_path))
    run = prepare_run(config, quiet())
    assert "\u02c8" in run.labels
    item = run.utterances("train")[0]
    assert len(item.extra[DURATIONS].split()) == len(spoken_text(item))
    assert spoken_text(item).strip() == phonemize(item.text, "en-us")
    options = {**config.model.options, "num_voices": len(run.task.voices)}
    network = builder(config.model.name)(len(run.labels), config.features.n_mels, **options)
    statistics = run.facts["statistics"]
    (speech,) = make_synthesizer(network, run.task, run.config, statistics, run.path, run.vocoder(None)).say(
        "Low, mid!"
    )
    assert "".join(token for token, *_ in speech.alignment) == f" {phonemize('low mid', 'en-us')} "


def test_phonemes_are_of_voices(short_config, tmp_path):
    with raises("settings-conflict", match="--phonemes"):
        prepare_run(short_config.replace(phonemes="en-us", out=str(tmp_path)), quiet())


def test_recordings_without_a_text_or_of_another_are_named(tone_texts, voice_config, tmp_path):
    items = read_manifest(tone_texts).utterances
    write_manifest(tmp_path / "silent.csv", [replace(item, text=None) for item in items])
    config = voice_config.replace(out=str(tmp_path / "runs"))
    with raises("text-missing", match="0.wav"):
        prepare_run(config.replace(data=str(tmp_path / "silent.csv")), quiet())
    write_manifest(tmp_path / "short.csv", [replace(item, text=20 * (item.text or "")) for item in items])
    with raises("too-many-bad-recordings", match="0.wav"):
        prepare_run(config.replace(data=str(tmp_path / "short.csv")), quiet())
    assert not (tmp_path / "runs").exists()


def test_words_sound_when_a_recording_says_so(tone_texts, voice_config, tmp_path, monkeypatch):
    monkeypatch.setattr(token_alignment, "STEPS", 5)
    spec, items = voice_config.features, read_manifest(tone_texts).utterances
    # Where nothing tells it, the second word begins in the middle: half of the first one is told to be its.
    middles = [0.5 * (item.duration or audio.facts(item.path).duration) for item in items]
    told = [f"0.1-{middle / 2:.3f} {middle / 2:.3f}-{2 * middle - 0.1:.3f}" for middle in middles]
    timed = [replace(item, extra={WORD_TIMES: times}) for item, times in zip(items, told, strict=True)]
    wrong = replace(timed[0], extra={WORD_TIMES: "0.1-0.2"})
    write_manifest(tmp_path / "timed.csv", [*timed[1:], wrong])
    config = voice_config.replace(data=str(tmp_path / "timed.csv"), out=str(tmp_path / "runs"))
    run, frames = prepare_run(config, quiet()), FrameTimes.of(spec, stride=1)
    assert wrong.path not in [item.path for item in run.utterances("train")]
    for item in run.utterances("train"):
        told = float(item.extra[WORD_TIMES].partition("-")[2].partition(" ")[0])
        durations = [int(count) for count in item.extra[DURATIONS].split()]
        space = f" {item.text} ".rindex(" ", 1, -1)
        border = frames.first + (sum(durations[:space]) - 0.5) * frames.step
        assert border == pytest.approx(told, abs=(SLACK + 2) * frames.step)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("settings-conflict", {"augment.noise": 0.5}),
        ("settings-conflict", {"features.kind": "mfcc"}),
        ("settings-conflict", {"data.synthetic_voices": 2}),
        ("task-unsupported", {"model.name": "ResNet8"}),
    ],
)
def test_settings_of_recognisers_are_refused(code, changes, voice_config):
    with raises(code):
        prepare_run(voice_config.replace(**changes), quiet())


def test_what_takes_recordings_refuses_a_voice(voice_run):
    with raises("task-unsupported"):
        voice_run.predict(voice_run.utterances("test")[0].path)


def test_a_voice_that_is_too_loud_is_heard_as_from_a_file(voice_run, tone_run):
    loud = load_run(voice_run.path)
    loud.facts["statistics"]["mean"] = [60.0 + mean for mean in loud.facts["statistics"]["mean"]]
    metrics, _ = measure_voice(loud, loud.utterances("test")[:1], [load_run(tone_run)])
    assert metrics["judges"][0]["num_words"] == 2


def test_an_evaluation_measures_and_shows_the_voice(voice_run, tone_run, tmp_path):
    judge = load_run(tone_run)
    evaluation = evaluate_run(voice_run, folder=tmp_path, judges=[judge])
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["num_clips"] == 4
    assert metrics["distortion_db"] > 0
    (heard,) = metrics["judges"]
    assert heard["judge"] == judge.path.name
    # Each sentence is of two words, and this one says one.
    assert heard["wer"] >= 0.5
    assert heard["num_words"] == 8
    with raises("task-unsupported"):
        evaluate_run(judge, folder=tmp_path, judges=[judge])
    page = evaluation.report.read_text()
    assert page.count("<audio") == 2 * 4
    assert {path.stem for path in (tmp_path / "pictures").glob("*.png")} >= {"sentence-1", "sentence-4"}
