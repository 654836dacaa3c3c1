"""What is said in a recording: its text or its word, or how they are said."""

from dataclasses import replace

from kerasr.data.manifest import Corpus, Utterance
from kerasr.text import normalise
from kerasr.text.phonemes import phonemize
from kerasr.text.vocabulary import SPACE

# The manifest's column with a text's phonemes.
PHONEMES = "phonemes"


def said_in(utterance: Utterance) -> str:
    """A recording's text, or else its word."""
    return utterance.text if utterance.text is not None else utterance.label or ""


def text_of(utterance: Utterance) -> str:
    """A recording's text, normalised; "" where it has none."""
    return normalise(utterance.text or "")


def spoken_text(utterance: Utterance) -> str:
    """What is said in it, normalised, or the phonemes of that; with the silences before and after it."""
    return f"{SPACE}{utterance.extra.get(PHONEMES) or normalise(said_in(utterance))}{SPACE}"


def add_phonemes(corpus: Corpus, language: str) -> Corpus:
    """The corpus, each text with its phonemes; errors as of `phonemize`."""
    items = (
        replace(item, extra={**item.extra, PHONEMES: phonemize(normalise(said_in(item)), language)})
        for item in corpus.utterances
    )
    return replace(corpus, utterances=tuple(items))
