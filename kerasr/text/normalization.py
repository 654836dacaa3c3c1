"""One way to write a transcript, so that two of them differ only where something else is said."""

import re
import unicodedata

# Within a word these belong to it: "don't", "d'accord".
APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u02bc\u2018\u0060\u00b4", "'"))
# Between the sentences of a text, and the parts that a pause divides.
SENTENCE_ENDS = re.compile(r"(?<=[.!?;:])\s+|\n+")
_ABOUT_WORDS = re.compile(r"(?<!\w)'+|'+(?!\w)")


def normalise(text: str) -> str:
    """Lower-case words with one space between them; of punctuation only apostrophes within a word are left.

    Letters with marks are one character each where Unicode has one (NFKC), and every script keeps its own.

    Args:
        text: as somebody has written it.

    Returns:
        The same words; "" where there are none.
    """
    text = unicodedata.normalize("NFKC", text).casefold().translate(APOSTROPHES)
    # A letter's marks (M) are of the letter; casefold may have taken one apart.
    text = unicodedata.normalize("NFC", text)
    kept = "".join(one if one == "'" or unicodedata.category(one)[0] in "LMN" else " " for one in text)
    return " ".join(_ABOUT_WORDS.sub(" ", kept).split())
