"""Keras layers that models share: the padding's length, norms, attention, CTC, recurrence over a clip's own frames.

All are imported at once: a `.keras` file that holds one of them loads where this package has been imported.
"""

from kerasr.layers.attention import ClassToken as ClassToken
from kerasr.layers.attention import CrossAttention as CrossAttention
from kerasr.layers.attention import FrameAttention as FrameAttention
from kerasr.layers.attention import SelfAttention as SelfAttention
from kerasr.layers.attention import SinusoidalPositions as SinusoidalPositions
from kerasr.layers.cross_entropy import sequence_cross_entropy as sequence_cross_entropy
from kerasr.layers.ctc import BlankPadding as BlankPadding
from kerasr.layers.ctc import ctc_loss as ctc_loss
from kerasr.layers.length_regulator import LengthRegulator as LengthRegulator
from kerasr.layers.length_regulator import NumTokens as NumTokens
from kerasr.layers.length_regulator import place_tokens as place_tokens
from kerasr.layers.masking import MaskPadding as MaskPadding
from kerasr.layers.masking import NumFrames as NumFrames
from kerasr.layers.masking import within_clip as within_clip
from kerasr.layers.normalization import BatchNormalization as BatchNormalization
from kerasr.layers.normalization import MaskedBatchNormalization as MaskedBatchNormalization
from kerasr.layers.normalization import MaskedGroupNormalization as MaskedGroupNormalization
from kerasr.layers.normalization import SubSpectralNorm as SubSpectralNorm
from kerasr.layers.normalization import fuse_batch_norms as fuse_batch_norms
from kerasr.layers.polar_spectrum import PolarSpectrum as PolarSpectrum
from kerasr.layers.recurrent import MaskedRNN as MaskedRNN
from kerasr.layers.recurrent import choose_implementation as choose_implementation
from kerasr.layers.recurrent import with_implementation as with_implementation
