"""All changes to a batch in their order, and what the settings ask for."""

import zlib
from typing import Any

import tensorflow as tf

from kerasr.audio.features import Features
from kerasr.config import Augmentation, FeatureSpec
from kerasr.data.augment.features import equalise, mask, stretch_time, tilt_spectrum, warp_frequency
from kerasr.data.augment.graph import Batch, fold, own_frames, silence_padding
from kerasr.data.augment.mix import cutmix, mixup
from kerasr.data.augment.registry import extra_changes
from kerasr.data.augment.waveform import (
    add_noise,
    add_silence,
    leave_noise,
    perturb_speed,
    reverberate,
    shift_time,
    telephone,
)
from kerasr.data.clips import most_shift


def changes_waveform(augment: Augmentation) -> bool:
    """Whether features must be computed again in each epoch."""
    return bool(
        augment.time_shift
        or augment.silence
        or augment.gain_db
        or augment.speed != (1.0, 1.0)
        or augment.noise
        or augment.noise_only
        or augment.reverb
        or augment.codec
        or extra_changes(augment, "waveform")
    )


def feature_changes(augment: Augmentation) -> list[str]:
    """Names of the settings that are on and change clips after the front-end."""
    factors = [name for name in ("tempo", "vtlp") if getattr(augment, name) != (1.0, 1.0)]
    amounts = ("tilt_db", "eq_db", "time_masks", "frequency_masks", "mixup", "cutmix")
    extra = [known.name for known, _ in extra_changes(augment, "features")]
    return factors + [name for name in amounts if getattr(augment, name)] + extra


def changes_bands(augment: Augmentation) -> bool:
    """Whether anything drawn takes neighbouring features for neighbouring bands, as only those of a log-mel are."""
    return bool(augment.vtlp != (1.0, 1.0) or augment.tilt_db or augment.eq_db)


def silence_targets(
    waveform: tf.Tensor,
    num_samples: tf.Tensor,
    token_ids: tf.Tensor,
    augment: Augmentation,
    *,
    noise: tf.Tensor | None,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Leave noise alone of a share of the clips, and no tokens of their texts `(batch, longest)`: -1 everywhere."""
    waveform, chosen = leave_noise(waveform, num_samples, augment.noise_only, noise, fold(seed, 16))
    return waveform, tf.tensor_scatter_nd_update(token_ids, chosen, -tf.ones_like(tf.gather_nd(token_ids, chosen)))


def augment_waveform(
    waveform: tf.Tensor,
    num_samples: tf.Tensor,
    augment: Augmentation,
    *,
    spec: FeatureSpec,
    noise: tf.Tensor | None,
    seed: tf.Tensor,
) -> Batch:
    """Speed, shift, silence, room, gain, noise, codec: in the order in which they happen to a voice."""
    sample_rate = spec.sample_rate
    if augment.speed != (1.0, 1.0):
        waveform, num_samples = perturb_speed(waveform, num_samples, augment.speed, fold(seed, 0))
    if augment.time_shift:
        most = most_shift(spec, augment)
        window = None if spec.clip_seconds is None else spec.clip_samples
        waveform, num_samples = shift_time(waveform, num_samples, most, window, fold(seed, 1))
    if augment.silence:
        waveform, num_samples = add_silence(waveform, num_samples, round(augment.silence * sample_rate), fold(seed, 14))
    if augment.reverb:
        waveform = reverberate(waveform, num_samples, augment, sample_rate, fold(seed, 8))
    if augment.gain_db:
        gain = tf.random.stateless_uniform(tf.shape(num_samples), fold(seed, 2), -augment.gain_db, augment.gain_db)
        waveform *= tf.pow(10.0, gain[:, None] / 20)
    if augment.noise:
        waveform = add_noise(waveform, num_samples, augment, noise, fold(seed, 3))
    if augment.codec:
        waveform = telephone(waveform, num_samples, augment.codec, sample_rate, fold(seed, 9))
    for known, amount in extra_changes(augment, "waveform"):
        changed = known.change(waveform, num_samples, _named(seed, known.name), amount=amount, sample_rate=sample_rate)
        waveform = silence_padding(tf.ensure_shape(changed, waveform.shape), num_samples)
    return waveform, num_samples


def augment_features(
    features: tf.Tensor, beside: Any, augment: Augmentation, *, front_end: Features, seed: tf.Tensor
) -> tuple[tf.Tensor, Any]:
    """Tempo, vocal tract, microphone, what was registered, masks, cutmix, mixup; these two blend what is a clip's."""
    spec = front_end.spec
    if augment.tempo != (1.0, 1.0):
        features = stretch_time(features, augment.tempo, fold(seed, 10), whole=spec.clip_seconds is None)
    if augment.vtlp != (1.0, 1.0):
        features = warp_frequency(features, augment.vtlp, front_end, fold(seed, 11))
    if augment.tilt_db:
        features = tilt_spectrum(features, augment.tilt_db, front_end.std, fold(seed, 4))
    if augment.eq_db:
        features = equalise(features, augment.eq_db, front_end.std, fold(seed, 12))
    for known, amount in extra_changes(augment, "features"):
        changed = known.change(features, _named(seed, known.name), amount=amount)
        features = tf.where(own_frames(features)[:, :, None], tf.ensure_shape(changed, features.shape), 0.0)
    if augment.time_masks:
        longest = round(augment.time_mask_seconds * spec.sample_rate / spec.hop_length)
        share = augment.time_mask_share
        features = mask(features, augment.time_masks, longest, axis=1, seed=fold(seed, 5), share=share)
    if augment.frequency_masks:
        features = mask(features, augment.frequency_masks, augment.frequency_mask_width, axis=2, seed=fold(seed, 6))
    if augment.cutmix:
        features, beside = cutmix(features, beside, augment.cutmix, fold(seed, 13))
    if augment.mixup:
        features, beside = mixup(features, beside, augment.mixup, fold(seed, 7))
    return features, beside


def _named(seed: tf.Tensor, name: str) -> Any:
    """A seed for the draws of a registered change, whatever others there are."""
    return fold(fold(seed, 15), zlib.crc32(name.encode()) % 2**31)
