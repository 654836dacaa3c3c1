"""Transcripts of a sound that goes on are those of the sound as one clip: no word is lost at a seam."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from _errors import raises
from _shared import SPEC

from kerasr import audio
from kerasr.audio import Features
from kerasr.config import TaskConfig, TrainConfig
from kerasr.decoding.alignment import FrameTimes
from kerasr.inference.answers import answer_clips
from kerasr.inference.compiled import compile_probs
from kerasr.inference.recordings import make_clip
from kerasr.inference.transcriber import Transcriber
from kerasr.models.registry import builder, model_facts
from kerasr.tasks.transcribe import Transcribe


@pytest.fixture(scope="module")
def run():
    """A network that has learnt nothing, but says something here and there."""
    keras.utils.set_random_seed(3)
    spec = replace(SPEC, clip_seconds=None)
    network = builder("ResNetEncoder")((None, SPEC.n_mels), 4, **model_facts("ResNetEncoder").narrow)
    task = Transcribe((" ", "a", "b"), TaskConfig("transcribe"))
    task.frame_times = FrameTimes.of(spec, 4)
    front_end = Features(spec, mean=[-45.0] * SPEC.n_mels, std=[10.0] * SPEC.n_mels)
    compiled = compile_probs([front_end], network, task)
    head = network.get_layer("logits")
    waveform = sound()
    # The tokens are about as likely as each other, the blank likelier.
    logits = compiled([waveform])["logits"][0]
    scale, middle = 4 / logits.std(0), logits.mean(0)
    kernel, bias = head.get_weights()
    head.set_weights([kernel * scale, (bias - middle) * scale + [4, 1, 0, 0]])
    return SimpleNamespace(
        config=TrainConfig().derive(features=spec),
        task=task,
        recognition=task,
        network=network,
        probs=lambda clips, **_: compiled(clips)["probs"],
    )


def sound():
    """Twelve seconds of noise in bursts with pauses between them."""
    rng = np.random.default_rng(0)
    loud = np.repeat(rng.uniform(0, 1, 240) ** 3, 400)
    loud[20_000:36_000] = loud[60_000:72_000] = 0.001
    return (0.3 * loud * rng.standard_normal(96_000)).astype("float32")


def transcribe(run, waveform, size, **options):
    """What is told of a sound in chunks of a size, and what was partly known after each."""
    transcriber, found, partials = Transcriber(run, **options), [], []
    for start in range(0, len(waveform), size):
        found.append(transcriber.process(waveform[start : start + size]))
        partials.append(transcriber.partial)
    return transcriber, [*found, transcriber.finish()], partials


def test_no_seam_loses_a_word(run):
    waveform = sound()
    probs = run.probs([waveform])[0]
    segmenter = run.task.segmenter()
    whole = [run.task.decode(one.probs, 0).text for one in (*segmenter.process(probs), *segmenter.finish())]
    assert len(whole) > 1
    assert len(" ".join(whole).split()) > 10
    rows = []
    for size, options in ((96_000, {}), (800, {"live": True}), (7_777, {"live": True})):
        transcriber, found, _ = transcribe(run, waveform, size, **options)
        assert transcriber.exact
        answers = [answer for part in found for answer in part]
        assert [answer.text for answer in answers] == whole
        rows.append([(word.text, word.start, word.end) for word in transcriber.join(answers).words])
    assert rows[0] == rows[1] == rows[2]
    starts = [start for _, start, _ in rows[0]]
    assert starts == sorted(starts)
    assert starts[-1] < 12


def test_partial_results_only_grow(run):
    transcriber, found, partials = transcribe(run, sound(), 800, live=True)
    assert transcriber.look_ahead == pytest.approx(0.24)
    told = ""
    for answers, partial in zip(found, [*partials, ""], strict=True):
        for answer in answers:
            assert answer.text.startswith(told)
            told = ""
        assert partial.startswith(told)
        told = partial
    assert sum(one != other for one, other in pairwise(partials)) > 10


def test_what_was_said_comes_after_the_look_ahead(run):
    late = Transcriber(run, live=True, look_ahead=2.0)
    soon = Transcriber(run, live=True, look_ahead=0.0)
    assert (late.look_ahead, soon.look_ahead) == (2.0, 0.0)
    assert late.exact
    assert not soon.exact


def test_a_long_recording_is_read_in_windows(run, tmp_path):
    waveform = np.tile(sound(), 6)
    audio.write(tmp_path / "long.wav", waveform, 8000)
    clip = make_clip(str(tmp_path / "long.wav"), run.config.features, windows=True)
    assert (clip.waveform, clip.in_windows, clip.seconds) == (None, True, 72)
    short, broken = make_clip(waveform[:8000], run.config.features, windows=True), ValueError()
    gone = replace(clip, path=str(tmp_path / "gone.wav"))
    first, second, third, fourth, fifth = answer_clips(
        run, [clip, short, broken, gone, make_clip(waveform, run.config.features, windows=True)], 0
    )
    assert (first.path, first.start, first.end) == (clip.path, 0, 72)
    assert second.text == run.task.decode(run.probs([waveform[:8000]])[0], 0).text
    assert third is broken
    assert fourth.code == "recording-not-found"
    # (A file has 16 bits.)
    assert len(fifth.words) == pytest.approx(len(first.words), rel=0.05)
    assert [word.text for word in fifth.words] == fifth.text.split()


def test_what_is_no_sound_is_told(run):
    with raises("sound-invalid", "up to 0.1 s"):
        Transcriber(run).process(np.full(800, np.nan))
