"""Transcripts: one way to write them, and the tokens that a network says."""

from kerasr.text.normalization import normalise as normalise
from kerasr.text.vocabulary import Vocabulary as Vocabulary
