"""Texts as they are read aloud, by nemo_text_processing (extra `verbalize`): numbers, dates, amounts, abbreviations.

Source: Zhang, Bakhturina, Gorman and Ginsburg, "NeMo Inverse Text Normalization: From Development To Production",
Interspeech 2021, https://arxiv.org/abs/2104.05055, whose grammars verbalize, too.
"""

import functools
import importlib
import logging
import os
import pkgutil
import re
import sys
import textwrap
from collections.abc import Callable

from kerasr.core.extras import require_extra
from kerasr.errors import UserError
from kerasr.text.normalization import SENTENCE_ENDS

LIBRARY = "nemo_text_processing"
# What compiled grammars are called in the cache.
GRAMMARS = "grammars"
# What may be said otherwise than it is written: digits, signs, and short words before a full stop, as Mr. and etc. All
# else is left alone: the library takes a twentieth of a second for a sentence, and a book has thousands.
_WRITTEN = re.compile(r"[\d_]|[^\w\s,.;:!?'\"()\u2013\u2014-]|\b\w{1,4}\.")
# Longer parts, in characters, are cut between words: the grammars' time grows faster than the text.
_LONGEST = 500


def verbalize(text: str, language: str, folder: str | None = None) -> str:
    """A text with its numbers, dates, times, amounts, units and abbreviations as they are read aloud.

    Args:
        text: as somebody has written it, of any length.
        language: its code, of those that nemo_text_processing has grammars of: `en`, `de`, `fr`, ...
        folder: keeps the grammars once they are compiled, which takes half a minute; each process does where None.

    Raises:
        UserError: nemo_text_processing is not installed, or has no such language.
    """
    require_extra("verbalize", f"--verbalize {language}")
    say = _verbalizer(language.strip().lower(), folder)
    parts = (
        part for piece in SENTENCE_ENDS.split(text) for part in textwrap.wrap(piece, _LONGEST, break_on_hyphens=False)
    )
    return " ".join(say(part) if _WRITTEN.search(part) else part for part in parts)


@functools.cache
def _verbalizer(language: str, folder: str | None) -> Callable[[str], str]:
    languages = importlib.import_module(f"{LIBRARY}.text_normalization")
    known = sorted(found.name for found in pkgutil.iter_modules(languages.__path__) if found.ispkg)
    if language not in known:
        raise UserError("language-not-found", f"--verbalize {language}: there are grammars of {', '.join(known)}")
    logging.getLogger("NeMo-text-processing").setLevel(logging.ERROR)
    if folder is None or not os.path.isdir(folder):
        print(f"Compiling the grammars of {language}: half a minute, once", file=sys.stderr, flush=True)
    normalizer = importlib.import_module(f"{LIBRARY}.text_normalization.normalize").Normalizer
    return normalizer(input_case="cased", lang=language, cache_dir=folder).normalize
