"""Vocos: from log-mel energies to a spectrum, magnitude and phase, whose inverse Fourier transform is the waveform.

All of it runs at the front-end's frames: blocks of a convolution over time for each channel alone and two dense layers
at each frame (ConvNeXt), and at the end a dense layer for magnitudes and phases. Its look-ahead is that of its kernels.

Source: Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for high-quality audio
synthesis", ICLR 2024, https://arxiv.org/abs/2306.00814, section 3; of its discriminators that of
periods alone, where a training asks for it (`kerasr.models.synthesis.period_discriminator`).
"""

import keras

from kerasr.layers import MaskPadding, NumFrames, PolarSpectrum
from kerasr.models.blocks import convolve_over_time
from kerasr.models.registry import register_model

EXPANSION = 3


@register_model(
    source="Siuzdak 2023, https://arxiv.org/abs/2306.00814",
    parameters=1_189_666,
    masks_padding=True,
    narrow={"channels": 8, "num_blocks": 1},
)
def Vocos(
    n_mels: int,
    n_fft: int,
    *,
    channels: int = 160,
    num_blocks: int = 6,
    kernel_size: int = 7,
    name: str = "vocos",
) -> keras.Model:
    """Build Vocos's network.

    Args:
        n_mels: energies of a frame.
        n_fft: length of the Fourier transform.
        channels: of each block.
        num_blocks: blocks.
        kernel_size: frames that a kernel spans; odd.
        name: the model's name.

    Returns:
        Model from features (batch, time, n_mels), zero past a clip's end, to spectra (batch, time, n_fft + 2): the real
        parts of `1 + n_fft // 2` frequencies, and the imaginary parts. float32, zero past a clip's end.
    """
    features = keras.Input((None, n_mels), name="features")
    num_frames = NumFrames(name="num_frames")(features)
    x = keras.layers.Conv1D(channels, kernel_size, padding="same", name="embedding")(features)
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="embedding_norm")(x)
    x = MaskPadding(name="embedding_mask")(x, num_frames)
    for block in range(1, num_blocks + 1):
        x = _block(x, num_frames, kernel_size, num_blocks, f"block{block}")
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = keras.layers.Dense(n_fft + 2, dtype="float32", name="magnitude_and_phase")(x)
    x = PolarSpectrum(dtype="float32", name="spectrum")(x)
    return keras.Model(features, MaskPadding(dtype="float32", name="padding")(x, num_frames), name=name)


def _block(x, num_frames, kernel_size, num_blocks, name):
    """A ConvNeXt block; what all of them add up to is, in the beginning, about as much as one."""
    channels = x.shape[-1]
    y = convolve_over_time(x, kernel_size, name=f"{name}_conv")
    y = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(y)
    y = keras.layers.Dense(EXPANSION * channels, activation="gelu", name=f"{name}_dense1")(y)
    small = keras.initializers.VarianceScaling(1 / num_blocks**2)
    y = keras.layers.Dense(channels, kernel_initializer=small, name=f"{name}_dense2")(y)
    y = MaskPadding(name=f"{name}_mask")(y, num_frames)
    return keras.layers.Add(name=f"{name}_add")([x, y])
