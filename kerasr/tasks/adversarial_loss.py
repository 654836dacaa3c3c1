"""A vocoder against a discriminator, which learns beside it to tell its waveforms from recordings."""

from keras import ops

from kerasr.config import FitConfig
from kerasr.layers import within_clip
from kerasr.models.synthesis.period_discriminator import STRIDES, MultiPeriodDiscriminator, num_scores
from kerasr.tasks.auxiliary_loss import AuxiliaryLoss
from kerasr.tasks.speech_losses import own_samples

# What feature matching weighs beside the scores: section 2.4 of HiFi-GAN.
FEATURE_MATCHING = 2.0


def adversarial_loss(config: FitConfig) -> AuxiliaryLoss:
    """The losses of a vocoder before a discriminator, and of the discriminator: each moves its own weights alone.

    So one sum, one optimiser and one step serve both. What the discriminator learns from is cut off from the vocoder,
    whose waveform is judged once more, by weights that are cut off.

    Source: Kong, Kim and Bae, "HiFi-GAN", https://arxiv.org/abs/2010.05646, section 2.4: least squares of scores, and
    how far what each layer makes of the waveform is from what it makes of the recording; here means over periods.
    """
    discriminator = MultiPeriodDiscriminator()

    def compute(embedding, made, truth, training):
        del embedding, training
        truth, made, num_samples = own_samples(truth, made)
        learnt = discriminator(ops.concatenate([truth, ops.stop_gradient(made)]))
        frozen = [ops.stop_gradient(weight) for weight in discriminator.trainable_variables]
        judged, _ = discriminator.stateless_call(frozen, discriminator.non_trainable_variables, made)
        of_periods = [_period_losses(*layers, num_samples) for layers in zip(learnt, judged, strict=True)]
        return tuple(sum(losses) / len(of_periods) for losses in zip(*of_periods, strict=True))

    return AuxiliaryLoss(
        names=("generator_loss", "discriminator_loss"),
        head=discriminator,
        weight=config.adversarial_weight,
        compute=compute,
        of_embedding=False,
        validated=False,
    )


def _period_losses(learnt, judged, num_samples):
    """The vocoder's and the discriminator's, each `(batch,)`, of what a period's layers make.

    Args:
        learnt: of the recordings, and in the second half of the batch of the vocoder's waveforms, cut off from it.
        judged: of the vocoder's waveforms, by weights that are cut off.
        num_samples: `(batch,)`.
    """
    learnt = [ops.split(both, 2) for both in learnt]
    num_rows = num_scores(num_samples, judged[-1].shape[1], len(judged))
    of_truth, of_made = learnt[-1]
    matching = sum(
        _apart(ops.stop_gradient(truth), made, num_samples / STRIDES**number)
        for number, ((truth, _), made) in enumerate(zip(learnt[:-1], judged[:-1], strict=True), 1)
    )
    return (
        _score_loss(judged[-1], 1, num_rows) + FEATURE_MATCHING * matching,
        _score_loss(of_truth, 1, num_rows) + _score_loss(of_made, 0, num_rows),
    )


def _score_loss(scores, wanted, num_rows):
    """Least squares of `(batch, period, time, 1)` over a clip's own rows."""
    losses = ops.mean(ops.square(scores - wanted), axis=(1, 3))
    own = ops.cast(within_clip(losses, num_rows), "float32")
    return ops.sum(own * losses, axis=1) / ops.cast(num_rows, "float32")


def _apart(truth, made, size):
    """The mean absolute difference of `(batch, period, time, channels)` over so many places; none is past the clip."""
    apart = ops.sum(ops.cast(ops.abs(truth - made), "float32"), axis=(1, 2, 3))
    return apart / (made.shape[3] * ops.cast(size, "float32"))
