"""A discriminator beside a vocoder: who learns from what, and that neither batch nor padding matters to it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from _errors import raises

from kerasr.config import FitConfig, TaskConfig, TrainConfig
from kerasr.models.synthesis.period_discriminator import PERIODS, MultiPeriodDiscriminator, num_scores
from kerasr.tasks.adversarial_loss import adversarial_loss
from kerasr.tasks.classify import Classify
from kerasr.tasks.synthesize import Synthesize
from kerasr.tasks.vocode import Vocode
from kerasr.training.phases import Phase, plan_phases
from kerasr.training.preparation import check_model


@pytest.fixture(scope="module")
def auxiliary():
    keras.utils.set_random_seed(0)
    return adversarial_loss(FitConfig(adversarial_weight=0.1))


@pytest.fixture
def clips(rng):
    """Two clips, the second shorter, and two that were made of them, with something past the end."""
    truth, made = rng.normal(size=(2, 2, 1500)).astype("float32")
    truth[1, 601:] = 0
    return tf.constant(truth), tf.constant(made)


def test_each_moves_its_own_weights_alone(auxiliary, clips):
    truth, made = clips
    weights = [weight.value for weight in auxiliary.head.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(made)
        generator, discriminator = auxiliary.compute(None, made, truth, True)
    assert np.shape(generator) == np.shape(discriminator) == (2,)
    slopes = tape.gradient(generator, made).numpy()
    assert tape.gradient(generator, weights) == [None] * len(weights)
    assert tape.gradient(discriminator, made) is None
    assert all(np.abs(slope).max() > 0 for slope in tape.gradient(discriminator, weights))
    assert (np.abs(slopes).max(axis=1) > 0).all()
    # Nothing past a clip's end is judged; what is nearer to what the discriminator wants costs less.
    assert not slopes[1, 601:].any()
    nearer, _ = auxiliary.compute(None, made - 1e-2 * slopes / np.abs(slopes).max(), truth, True)
    assert (nearer.numpy() < generator.numpy()).all()


@pytest.mark.parametrize("size", [601, 602, 1111])
def test_a_clip_is_judged_alike_whatever_it_is_batched_with(auxiliary, clips, size):
    truth, made = clips
    alone = auxiliary.compute(None, made[1:, :size], truth[1:, :size], True)
    for together, own in zip(auxiliary.compute(None, made, truth, True), alone, strict=True):
        assert float(together[1]) == pytest.approx(float(own[0]), rel=1e-5)


def test_scores_are_a_clips_own(rng):
    discriminator = MultiPeriodDiscriminator(channels=(2, 3))
    clips = rng.normal(size=(2, 400)).astype("float32")
    clips[1, 205:] = 0
    both, alone = discriminator(clips), discriminator(clips[1:, :205])
    for period, one, other in zip(PERIODS, both, alone, strict=True):
        own = num_scores(205, period, len(one))
        assert own == -(-205 // (9 * period))
        np.testing.assert_allclose(one[-1][1, :, :own], other[-1][0, :, :own], atol=1e-5)
        # The first score is of what is about the first sample, and the last of what is about the last.
        changed = clips.copy()
        changed[1, 204] += 1.0
        moved = np.asarray(discriminator(changed)[PERIODS.index(period)][-1] - one[-1])[1].any(axis=(0, 2))
        assert moved[own - 1]


def test_the_discriminator_waits_for_a_third_of_the_epochs():
    config = TrainConfig().replace(adversarial_weight=0.1)
    for epochs, expected in ((1, [(0, 1, True)]), (9, [(0, 3, False), (3, 9, True)])):
        assert [(phase.first, phase.end, phase.auxiliary) for phase in plan_phases(config, epochs)] == expected
    assert Vocode((), TaskConfig("vocode")).auxiliary_loss(None, FitConfig()) is None


def test_phases_of_a_vocoder_that_begins_with_another():
    config = TrainConfig().replace(adversarial_weight=0.1, init_from="runs/vocoder", head_share=0.1, finetune_rate=0.3)
    assert plan_phases(config, 10) == [
        Phase(0, 1, head_only=True, auxiliary=False),
        Phase(1, 3, rate=0.3, auxiliary=False),
        Phase(3, 10, rate=0.3),
    ]


@pytest.mark.parametrize("weight", [-0.1, 1.0])
def test_a_share_out_of_range_is_refused(weight):
    with raises("setting-out-of-range"):
        FitConfig(adversarial_weight=weight)


@pytest.mark.parametrize(("kind", "model"), [(Classify, "ResidualCNN"), (Synthesize, "SpeedySpeech")])
def test_tasks_without_waveforms_have_none(kind, model):
    config = TrainConfig().replace(adversarial_weight=0.1, model=model, model_options={})
    with raises("settings-conflict"):
        check_model(config, kind(("a", "b"), TaskConfig(kind.name)))
