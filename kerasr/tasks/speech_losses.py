"""What voices and vocoders are learnt by: energies, durations and tunes as the recording's, three spectra."""

import keras
from keras import ops

from kerasr.audio.features import spectrum
from kerasr.config import FeatureSpec
from kerasr.layers import within_clip
from kerasr.layers.similarity import structural_similarity

# The spectra in which waveforms are compared.
RESOLUTIONS = tuple(
    FeatureSpec(n_fft=n_fft, win_length=win_length, hop_length=hop_length, clip_seconds=None)
    for n_fft, win_length, hop_length in ((512, 240, 50), (1024, 600, 120), (2048, 1200, 240))
)
# Magnitudes are this at least: a logarithm of less would be far from that of silence.
QUIETEST = 1e-4
# Pitch and energy count so much beside the energies of the frames.
PROSODY_WEIGHT = 0.1


@keras.saving.register_keras_serializable("kerasr")
class SpectrogramLoss(keras.losses.Loss):
    """Mean absolute difference and structural dissimilarity of normalised log-mel energies `(batch, time, n_mels)`.

    Frames past a clip's end are exactly zero in the truth, as the front-end makes them, and do not count. The
    similarity is of both under a sigmoid, which takes normalised energies into [0, 1].

    Source: Vainer and Dušek, "SpeedySpeech", Interspeech 2020, https://arxiv.org/abs/2008.03802, section 2.2.
    """

    def call(self, y_true, y_pred):
        """`(batch,)`."""
        own = ops.cast(ops.any(y_true != 0, axis=-1), "float32")
        count = ops.maximum(ops.sum(own, axis=1), 1)
        different = ops.mean(ops.abs(y_true - y_pred), axis=-1)
        similar = structural_similarity(*(own[..., None] * ops.sigmoid(one) for one in (y_true, y_pred)))
        return ops.sum(own * (different + 1 - ops.mean(similar, axis=-1)), axis=1) / count


@keras.saving.register_keras_serializable("kerasr")
class DurationLoss(keras.losses.Loss):
    """Huber's loss of tokens' log durations: of frames `(batch, tokens)`, at least one, -1 past a text's end."""

    def call(self, y_true, y_pred):
        """`(batch,)`."""
        own = ops.cast(y_true >= 0, "float32")
        wanted = ops.log(ops.maximum(ops.cast(y_true, "float32"), 1.0))
        apart = ops.abs(wanted - y_pred)
        huber = ops.where(apart < 1, 0.5 * apart * apart, apart - 0.5)
        return ops.sum(own * huber, axis=1) / ops.maximum(ops.sum(own, axis=1), 1)


@keras.saving.register_keras_serializable("kerasr")
class ProsodyLoss(keras.losses.Loss):
    """Mean squared error of a number of each token, a tenth of it: `(batch, tokens)`, NaN past a text's end.

    Source: Łańcucki, "FastPitch", ICASSP 2021, https://arxiv.org/abs/2006.06873, section 2; weighed as in its code.
    """

    def call(self, y_true, y_pred):
        """`(batch,)`."""
        own = ~ops.isnan(y_true)
        squares = ops.square(ops.where(own, y_true, y_pred) - y_pred)
        return PROSODY_WEIGHT * ops.sum(squares, axis=1) / ops.maximum(ops.sum(ops.cast(own, "float32"), axis=1), 1)


@keras.saving.register_keras_serializable("kerasr")
class MultiResolutionSpectrumLoss(keras.losses.Loss):
    """How far a waveform `(batch, samples)` is from the truth in spectra of three resolutions in time and frequency.

    At each the spectral convergence, `|M - m| / |M|` over a clip's magnitudes, and the mean absolute difference of
    their logarithms. What lies past a clip's last sample that is not zero does not count.

    Source: Yamamoto, Song and Kim, "Parallel WaveGAN", ICASSP 2020, https://arxiv.org/abs/1910.11480, section 2.2; and
    its sizes.
    """

    def call(self, y_true, y_pred):
        """`(batch,)`."""
        truth, found, _ = own_samples(y_true, y_pred)
        return sum(_spectra_apart(truth, found, spec) for spec in RESOLUTIONS) / len(RESOLUTIONS)


def own_samples(truth, found):
    """Waveforms cut to the shorter, `found` zero past a clip's last sample that is not, and how long each clip is."""
    # (JAX cuts where Python's numbers say, which these sizes are there; the lesser of two by `ops` is none.)
    truth = truth[:, : ops.shape(found)[1]]
    found = found[:, : ops.shape(truth)[1]]
    position = ops.arange(ops.shape(truth)[1], dtype="int32")
    num_samples = 1 + ops.max(ops.where(truth != 0, position, 0), axis=1)
    return truth, ops.where(within_clip(found, num_samples), found, 0), num_samples


def _spectra_apart(truth, found, spec):
    wanted, made = (_magnitudes(waveform, spec) for waveform in (truth, found))
    own = ops.cast(ops.any(wanted > QUIETEST, axis=-1), "float32")
    convergence = ops.sqrt(ops.sum(ops.square(wanted - made), (1, 2)) / ops.maximum(ops.sum(wanted**2, (1, 2)), 1e-6))
    apart = ops.mean(ops.abs(ops.log(wanted) - ops.log(made)), axis=-1)
    return convergence + ops.sum(own * apart, axis=1) / ops.maximum(ops.sum(own, axis=1), 1)


def _magnitudes(waveform, spec):
    real, imag = spectrum(waveform, spec)
    return ops.sqrt(ops.maximum(real**2 + imag**2, QUIETEST**2))
