"""Acoustic models: energies of a text are its own, whatever it is batched with and however far it is padded."""

import keras
import numpy as np
import pytest

from kerasr.layers.length_regulator import means_of_tokens, place_tokens, whole_durations
from kerasr.models.registry import SPEAKER, builder, list_models, model_facts
from kerasr.models.synthesis.speedy_speech import PROSODY
from kerasr.models.synthesis.token_means import NUM_STATES, TokenMeans

NUM_TOKENS, MELS, VOICES = 7, 10, 3
SPEAKING = [facts.name for facts in list_models(kind=SPEAKER)]
TABLE = [
    pytest.param((facts.name, {**facts.narrow, **options}), id="-".join([facts.name, *options]))
    for facts in list_models(kind=SPEAKER)
    for options in ({}, *facts.variants)
]


@pytest.fixture(scope="module", params=TABLE)
def network(request):
    name, options = request.param
    keras.utils.set_random_seed(0)
    network = builder(name)(NUM_TOKENS, MELS, VOICES, **options)
    # Biases and norms that begin as zeros and ones would hide what is not masked, and so would kernels of zeros.
    for weight in (weight for weight in network.weights if len(weight.shape) == 1 or not np.any(weight)):
        weight.assign_add(np.random.default_rng(0).uniform(0, 0.3, weight.shape))
    return network


def placed(frames, num_frames):
    """The token of each frame."""
    return np.asarray(place_tokens(np.array(frames), num_frames))


def say(network, token_ids, voice, token_of_frame):
    """What a network makes; of one with prosody, with the tokens' numbers as pitch and energy."""
    given = {"token_ids": np.array(token_ids), "voice": np.array(voice), "token_of_frame": token_of_frame}
    if "prosody" in network.input:
        given["prosody"] = np.repeat(given["token_ids"][..., None] / NUM_TOKENS, len(PROSODY), axis=2)
    return network(given)


def test_a_text_does_not_see_its_batch_and_its_padding(network):
    one, other = np.array([[1, 4, 2, 7]]), np.array([[5, 6, 1, 1, 3, 2, 2]])
    frames, others = np.array([[3, 1, 4, 2]]), np.array([[1, 1, 2, 5, 1, 4, 2]])
    alone = say(network, one, [2], placed(frames, 10))
    wider, longer = (np.pad(rows, ((0, 0), (0, 3))) for rows in (one, frames))
    both = say(network, np.concatenate([wider, other]), [2, 0], placed(np.concatenate([longer, others]), 20))
    assert both["log_mel"].shape == (2, 20, MELS)
    np.testing.assert_allclose(both["log_mel"][0, :10], alone["log_mel"][0], atol=1e-5)
    assert not np.any(both["log_mel"][0, 10:])
    for part in {*both} - {"log_mel"}:
        np.testing.assert_allclose(both[part][0, :4], alone[part][0], atol=1e-5)
        assert not np.any(both[part][0, 4:])


def test_voices_and_neighbours_are_heard(network):
    def energies(voice, tokens):
        return say(network, [tokens], [voice], placed([[2, 2, 2]], 6))["log_mel"]

    assert np.abs(energies(0, [1, 2, 3]) - energies(1, [1, 2, 3])).max() > 1e-4
    assert np.abs(energies(0, [1, 2, 3]) - energies(0, [1, 2, 4]))[:, :2].max() > 1e-6


def test_a_post_net_begins_by_adding_nothing():
    options = {**model_facts("SpeedySpeech").narrow, "post_blocks": 1}
    decoder = builder("SpeedySpeech")(NUM_TOKENS, MELS, **options).get_layer("decoder")
    before, after = (decoder.get_layer(name).output for name in ("log_mel", "refined"))
    model = keras.Model(decoder.inputs, [before, after])
    token_of_frame = placed([[2, 3]], 5)
    one, other = model([np.random.default_rng(0).normal(size=(1, 2, options["channels"])), token_of_frame])
    np.testing.assert_array_equal(one, other)


def test_prosody_that_is_predicted_is_spoken_and_another_is_heard():
    keras.utils.set_random_seed(0)
    network = builder("SpeedySpeech")(NUM_TOKENS, MELS, **{**model_facts("SpeedySpeech").narrow, "prosody": True})
    given = {"token_ids": np.array([[1, 2, 3]]), "voice": np.array([0]), "token_of_frame": placed([[2, 1, 3]], 6)}
    encoded = np.asarray(network.get_layer("encoder")([given["token_ids"], given["voice"]])[0])
    predicted = encoded[..., -len(PROSODY) :]
    said = network.get_layer("decoder")([encoded, given["token_of_frame"]])
    taught = network({**given, "prosody": predicted})
    np.testing.assert_allclose(taught["log_mel"], said, atol=1e-6)
    for place, part in enumerate(PROSODY):
        np.testing.assert_array_equal(taught[part], predicted[..., place])
        other = predicted + np.where(np.arange(len(PROSODY)) == place, 1.0, 0.0)
        assert np.abs(network({**given, "prosody": other})["log_mel"] - said).max() > 1e-3


def test_published_sizes_hold():
    for name in SPEAKING:
        facts = model_facts(name)
        assert builder(name)(40, 80).count_params() == facts.parameters
        assert facts.parameters <= 5_000_000


def test_whole_durations_keep_the_length():
    durations = np.array([[0.4, 0.4, 0.4, 3.3, 2.3, 0.0], [1.5, 1.5, 1.5, 1.5, 0.0, 0.0]], np.float32)
    frames = np.asarray(whole_durations(durations))
    assert frames.min(where=durations > 0, initial=9) == 1
    assert (frames[durations == 0] == 0).all()
    assert frames[1].sum() == 6
    assert abs(frames[0].sum() - durations[0].sum()) <= 1.5
    token_of_frame = placed(frames, frames.sum(1).max())
    assert [np.bincount(row[row >= 0], minlength=6).tolist() for row in token_of_frame] == frames.tolist()


def test_means_of_tokens_are_of_their_own_frames():
    values = np.array([[1.0, 2.0, 6.0, 9.0, 9.0]], np.float32)
    np.testing.assert_allclose(means_of_tokens(values, placed([[2, 1, 0]], 5), 3), [[1.5, 6.0, 0.0]])


def test_token_means_do_not_see_padding():
    means = TokenMeans(NUM_TOKENS, MELS, channels=8)
    one, padded = means(np.array([[1, 2, 3]])), means(np.array([[1, 2, 3, 0, 0]]))
    np.testing.assert_allclose(padded[:, : 3 * NUM_STATES], one, atol=1e-5)
