"""A run as a stream: pieces of any size give the logits of the whole clip, by Keras and by a SavedModel."""

from itertools import cycle

import keras
import numpy as np
import pytest
import tensorflow as tf
from _errors import raises

from kerasr.exporters.saved_model import write_saved_model
from kerasr.layers import BlankPadding, MaskPadding, NumFrames, SelfAttention
from kerasr.models.from_waveform import attach_front_ends
from kerasr.models.receptive_field import receptive_field
from kerasr.models.registry import list_models, model_facts
from kerasr.streaming.client import Stream, StreamFacts
from kerasr.streaming.frame_outputs import StatefulOutputs
from kerasr.streaming.step_model import streaming_step, why_not_streaming

STREAMING = [facts for facts in list_models(per_frame=False) if facts.stream_options is not None]
ENCODERS = [facts for facts in list_models(per_frame=True) if facts.stream_options is not None]
# TCResNet14 is TCResNet8 with more blocks.
TABLE = [
    pytest.param(facts, id=facts.name, marks=[pytest.mark.full] if facts.name == "TCResNet14" else [])
    for facts in STREAMING
]
# A SavedModel of each takes seconds: by default that which has convolutions and a recurrent layer.
SAVED = [
    pytest.param(facts, id=facts.name, marks=[] if facts.name == "CRNN" else [pytest.mark.full]) for facts in STREAMING
]
# Each encoder's kinds that stream; by default the last one, which looks less far ahead.
KINDS = [(facts, [{**facts.stream_options, **options} for options in ({}, *facts.variants)]) for facts in ENCODERS]
ENCODER_TABLE = [
    pytest.param(
        facts, options, id="-".join([facts.name, *options]), marks=[] if options is kinds[-1] else [pytest.mark.full]
    )
    for facts, kinds in KINDS
    for options in kinds
]
# A SavedModel takes seconds, too.
SAVED_ENCODERS = [
    pytest.param(*row.values, id=row.id, marks=[] if row.id == "ResNetEncoder" else [pytest.mark.full])
    for row in ENCODER_TABLE
]
# The clips of the tones' run: 0.4 s.
CLIP = 3200


def last_logits(stream, waveform, size):
    """The logits after a clip that comes in pieces of a size."""
    for start in range(0, len(waveform), size):
        for answer in stream.process(waveform[start : start + size]):
            assert np.isfinite(answer["probs"]).all()
    return stream.finish()["logits"]


def all_logits(stream, waveform, sizes):
    """The rows of all steps of a clip that comes in pieces of these sizes, again and again."""
    rows, start, sizes = [], 0, cycle(sizes)
    while start < len(waveform):
        end = start + next(sizes)
        rows += [answer["logits"] for answer in stream.process(waveform[start:end])]
        start = end
    return np.concatenate([*rows, stream.finish()["logits"]])


def noise(rng, size):
    return (0.1 * rng.standard_normal(size)).astype("float32")


def test_which_models_carry_their_state():
    assert {facts.name for facts in STREAMING} == {"StackedLSTM", "Conv1DLSTM", "CRNN", "TCResNet8", "TCResNet14"}
    others = {"QuartzNet", "ResNetEncoder", "ResNet8Encoder", "DeepSpeech2", "TransformerEncoder"}
    assert {facts.name for facts in ENCODERS} == others


@pytest.mark.parametrize("facts", TABLE)
def test_pieces_of_any_size_give_the_whole_clips_logits(facts, untrained, rng):
    run = untrained(facts, **facts.stream_options)
    step, stream = streaming_step(run)
    # A clip of the whole length, shorter ones, one shorter than a frame, and nothing.
    for length in (CLIP, 2511, 1600, 240, 100, 0):
        waveform = noise(rng, length)
        whole = run.logits([waveform if length else np.zeros(1, np.float32)])[0]
        for size in (CLIP, 1000, 37):
            found = last_logits(Stream(step.predict_on_batch, stream), waveform, size)
            np.testing.assert_allclose(found, whole, atol=1e-4, err_msg=f"{length} samples in pieces of {size}")


@pytest.mark.parametrize(("facts", "options"), ENCODER_TABLE)
def test_an_encoders_frames_are_those_of_the_whole_clip_however_it_comes(facts, options, untrained_encoder, rng):
    run = untrained_encoder(facts, jitter=0.1, **options)
    step, stream = streaming_step(run)
    # A sentence, one whose last step is cut short, a sample at a time, and less than a frame.
    for length, cuts in (
        (6007, [[6007], rng.integers(1, 2000, 50).tolist()]),
        (2511, [[77]]),
        (700, [[1]]),
        (9, [[4]]),
    ):
        waveform = noise(rng, length)
        whole = run.logits([waveform])[0]
        assert whole.std() > 0.01
        for sizes in cuts:
            found = all_logits(Stream(step.predict_on_batch, stream), waveform, sizes)
            np.testing.assert_allclose(found, whole, atol=1e-4, err_msg=f"{length} samples in pieces of {sizes}")
    # It is as late as it looks ahead, past the frames of an output.
    field = receptive_field(run.network)
    assert stream.output_stride == facts.stride
    if field.is_finite:
        assert 0 <= stream.look_ahead + facts.stride - 1 - field.after < facts.stride
    assert "causal" not in options or stream.look_ahead == 0


@pytest.mark.usefixtures("few_signatures")
@pytest.mark.parametrize(("facts", "options"), SAVED_ENCODERS)
def test_a_saved_encoder_carries_the_state(facts, options, untrained_encoder, rng, tmp_path):
    run = untrained_encoder(facts, jitter=0.1, **options)
    stream = write_saved_model(run, str(tmp_path / "saved"))
    signature = tf.saved_model.load(str(tmp_path / "saved")).signatures["stream"]

    def step(inputs):
        return signature(**{name: tf.constant(value) for name, value in inputs.items()})

    waveform = noise(rng, 6007)
    found = all_logits(Stream(step, stream), waveform, [500])
    np.testing.assert_allclose(found, run.logits([waveform])[0], atol=1e-4)


@pytest.mark.usefixtures("few_signatures")
@pytest.mark.parametrize("facts", SAVED)
def test_a_saved_model_carries_the_state(facts, untrained, rng, tmp_path):
    run = untrained(facts, **facts.stream_options)
    write_saved_model(run, str(tmp_path / "saved"))
    signature = tf.saved_model.load(str(tmp_path / "saved")).signatures["stream"]
    _, stream = streaming_step(run)

    def step(inputs):
        return signature(**{name: tf.constant(value) for name, value in inputs.items()})

    waveform = noise(rng, 3000)
    found = last_logits(Stream(step, stream), waveform, 500)
    np.testing.assert_allclose(found, run.logits([waveform])[0], atol=1e-4)


def test_streams_go_side_by_side(untrained, rng):
    step, facts = streaming_step(untrained(STREAMING[0]))
    inputs = {
        "waveform": noise(rng, (3, facts.step_samples)),
        "num_frames": np.array([facts.frames, 4, 0], np.int32),
        **{name: noise(rng, (3, *shape)) for name, shape in facts.states.items()},
        "state_position": np.array([0, 10, 20], np.int32),
    }
    together = step.predict_on_batch(inputs)
    for row in range(3):
        alone = step.predict_on_batch({name: value[row : row + 1] for name, value in inputs.items()})
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][row : row + 1], value, atol=1e-5, err_msg=name)


def test_an_answer_comes_with_each_step(untrained, rng):
    run = untrained(STREAMING[0])
    step, facts = streaming_step(run)
    stream = Stream(step.predict_on_batch, facts)
    first = facts.n_fft - facts.hop_length
    assert facts.step_samples == 800
    assert list(stream.process(noise(rng, first + 799))) == []
    assert len(list(stream.process(noise(rng, 1)))) == 1
    assert stream.samples == first + 800
    assert len(list(stream.process(noise(rng, 1700)))) == 2


@pytest.mark.parametrize("value", [np.nan, 1e19])
def test_what_is_no_sound_is_left_out_of_a_stream(untrained, rng, value):
    step, facts = streaming_step(untrained(next(facts for facts in STREAMING if facts.name == "StackedLSTM")))
    stream = Stream(step.predict_on_batch, facts)
    list(stream.process(noise(rng, CLIP)))
    waveform = noise(rng, CLIP)
    waveform[100] = value
    with raises("sound-invalid"):
        list(stream.process(waveform))
    assert np.isfinite(last_logits(stream, noise(rng, CLIP), 1000)).all()


def test_facts_survive_as_json(untrained):
    _, facts = streaming_step(untrained(STREAMING[0]))
    assert StreamFacts.from_json(facts.to_json()) == facts


@pytest.mark.parametrize(
    ("name", "options", "features", "why"),
    [
        ("ResidualCNN", {}, {}, "reads a whole clip at once"),
        ("TCResNet8", {}, {}, "only when trained with --model.causal"),
        ("StackedLSTM", {"bidirectional": True}, {}, "only when trained with --model.no-bidirectional"),
        ("Conv1DLSTM", {}, {"center": True}, "features look ahead"),
    ],
)
def test_why_a_run_cannot_carry_its_state(untrained, name, options, features, why):
    facts = next(facts for facts in list_models() if facts.name == name)
    run = untrained(facts, features=features, **options)
    assert why in (why_not_streaming(run) or "")
    with raises("streaming-unsupported"):
        streaming_step(run)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("BiLSTMEncoder", "whole clip"),
        ("DeepSpeech2", "--model.no-bidirectional"),
        ("TransformerEncoder", "--model.chunked"),
    ],
)
def test_why_an_encoder_cannot_carry_its_state(untrained_encoder, name, why):
    run = untrained_encoder(model_facts(name))
    assert why in (why_not_streaming(run) or "")
    with raises("streaming-unsupported"):
        StatefulOutputs(run)


def test_chunks_are_counted_from_the_first_frame_of_a_signal_that_is_late(untrained_encoder, rng):
    run = untrained_encoder(model_facts("TransformerEncoder"), chunked=True, chunk=4)
    features = keras.Input(run.config.features.shape)
    num_frames = NumFrames()(features)
    x = keras.layers.Conv1D(12, 3, bias_initializer="ones")(keras.layers.ZeroPadding1D((1, 1))(features))
    x = SelfAttention(2, rotary=True, chunk=4, past_chunks=1)(MaskPadding()(x, num_frames), num_frames)
    # (What is added has not waited.)
    x = keras.layers.Add()(
        [keras.layers.Dense(run.task.output.size)(features), keras.layers.Dense(run.task.output.size)(x)]
    )
    network = keras.Model(features, BlankPadding()(x, num_frames))
    run.__dict__["model"] = attach_front_ends(run.front_ends, network)
    step, stream = streaming_step(run)
    assert (stream.output_stride, stream.look_ahead) == (1, 4)
    waveform = noise(rng, 2511)
    found = all_logits(Stream(step.predict_on_batch, stream), waveform, [500])
    np.testing.assert_allclose(found, run.logits([waveform])[0], atol=1e-4)


def test_a_layer_without_a_step_is_named(untrained):
    """A model that is said to stream and cannot is found out when it is built."""
    run = untrained(STREAMING[0])
    inputs = keras.Input(run.config.features.shape)
    outputs = keras.layers.Dense(run.task.output.size)(keras.layers.GlobalMaxPooling1D(name="loudest")(inputs))
    run.__dict__["model"] = keras.Sequential([keras.Model(inputs, outputs)])
    with pytest.raises(NotImplementedError, match=r"loudest \(GlobalMaxPooling1D\) has no step"):
        streaming_step(run)
