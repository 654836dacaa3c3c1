"""Sentences through an encoder that carries its state: the text only grows, and is that of the sound as one clip."""

import json

import numpy as np
import pytest
from _errors import raises

from kerasr import audio, listen
from kerasr.inference.transcriber import Transcriber
from kerasr.models.from_waveform import attach_front_ends
from kerasr.models.registry import model_facts
from kerasr.runs.run import load_run
from kerasr.streaming.frame_outputs import StatefulOutputs


def sound():
    """Six seconds of noise in bursts with a pause between them."""
    rng = np.random.default_rng(0)
    loud = np.repeat(rng.uniform(0, 1, 120) ** 3, 400)
    loud[20_000:36_000] = 0.001
    return (0.3 * loud * rng.standard_normal(48_000)).astype("float32")


@pytest.fixture
def talkative(untrained_encoder):
    """Makes runs of encoders that have learnt nothing, but say something here and there."""

    def make(name, **options):
        run = untrained_encoder(model_facts(name), jitter=0.1, **options)
        head = run.network.get_layer("logits")
        # The tokens are about as likely as each other, the blank likelier.
        logits = run.logits([sound()])[0]
        scale, middle = 4 / logits.std(0), logits.mean(0)
        kernel, bias = head.get_weights()
        head.set_weights([kernel * scale, (bias - middle) * scale + [4, 1, *[0] * (len(bias) - 2)]])
        attach_front_ends(run.front_ends, run.network).save(run.path / "model.keras")
        return load_run(run.path)

    return make


def segments_of(run, waveform):
    """The text of the sound as one clip, with a space at each pause."""
    segmenter, probs = run.task.segmenter(), run.probs([waveform])[0]
    text = " ".join(run.task.decode(one.probs, 0).text for one in (*segmenter.process(probs), *segmenter.finish()))
    assert text.replace(" ", "") == run.predict(waveform).text.replace(" ", "")
    assert len(text) > 20
    return text


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("QuartzNet", {"causal": True}),
        pytest.param("ResNetEncoder", {}, marks=pytest.mark.full),
        ("DeepSpeech2", {"bidirectional": False, "look_ahead": 3}),
    ],
)
def test_the_text_only_grows_and_is_that_of_the_whole(name, options, talkative):
    run, waveform = talkative(name, **options), sound()
    whole = segments_of(run, waveform)
    for size in (800, 7_777):
        transcriber = Transcriber(run, outputs=StatefulOutputs(run))
        assert transcriber.exact
        answers, told, grown = [], "", 0
        for start in range(0, len(waveform), size):
            found = transcriber.process(waveform[start : start + size])
            for answer in found:
                assert answer.text.startswith(told)
                told = ""
            assert transcriber.partial.startswith(told)
            grown += transcriber.partial != told
            told = transcriber.partial
            answers += found
        assert grown > 3
        answers += transcriber.finish()
        assert transcriber.join(answers).text == whole


def test_a_causal_network_is_as_late_as_a_step(untrained_encoder):
    run = untrained_encoder(model_facts("QuartzNet"), causal=True)
    transcriber = Transcriber(run, outputs=StatefulOutputs(run))
    assert transcriber.look_ahead == pytest.approx(0.09)
    # Where nothing came, nothing was said.
    assert transcriber.finish() == []


def test_listen_carries_the_state_where_it_is_asked_to(talkative, tmp_path, capsys):
    run, path = talkative("DeepSpeech2", bidirectional=False, look_ahead=3), str(tmp_path / "long.wav")
    audio.write(path, sound(), 8000)
    capsys.readouterr()
    listen.main([str(run.path), "--file", path, "--carry-state", "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert " ".join(line["text"] for line in lines if "text" in line) == segments_of(run, audio.read(path)[0])
    told = ""
    for line in lines:
        assert line.get("partial", line.get("text")).startswith(told)
        told = line.get("partial", "")
    with raises("settings-conflict", "--look-ahead-seconds"):
        listen.main([str(run.path), "--file", path, "--carry-state", "--look-ahead-seconds", "1"])
