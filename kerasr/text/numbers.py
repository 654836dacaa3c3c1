"""Numbers in texts as the words that are said for them, by num2words (extra `numbers`)."""

import importlib
import re
from typing import Any

from kerasr.core.extras import require_extra
from kerasr.errors import UserError

# Languages that write 1,234.5; others write 1.234,5.
_POINT = ("en", "he", "ja", "ko", "th", "zh")
_WITH_POINT = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"
_WITH_COMMA = r"[0-9]{1,3}(?:\.[0-9]{3})+(?![0-9])(?:,[0-9]+)?|[0-9]+(?:,[0-9]+)?"
# 1st, 2nd, 3rd, 4th.
_ORDINAL = r"(?P<ordinal>st|nd|rd|th)\b"
# Numbers of more digits, and those that begin with 0, are said digit by digit.
_LONGEST = 15


def spell_numbers(text: str, language: str) -> str:
    """A text with its numbers as words; what stands about them stays as it is, and a text without any as well.

    Args:
        text: as somebody has written it, before it is normalised: 1,234.5 is one number there.
        language: its code, as `en`, `de` or `pt_BR`; num2words tells how numbers are said in it. In English 1st, 2nd
            and so on are ordinals.

    Raises:
        UserError: there is a number, and num2words is not installed, or knows no such language.
    """
    if not re.search("[0-9]", text):
        return text
    say = _speaker(language)
    number = _WITH_POINT if _has_point(language) else _WITH_COMMA
    pattern = f"(?P<number>{number})(?:{_ORDINAL if language.startswith('en') else '(?P<ordinal>(?!))'})?"

    def spell(found: re.Match[str]) -> str:
        return f" {say(found['number'], found['ordinal'] is not None)} "

    return re.sub(pattern, spell, text)


def _has_point(language: str) -> bool:
    return language.split("_")[0] in _POINT


def _speaker(language: str) -> Any:
    """A function from a number as it is written, and whether it is an ordinal, to words."""
    require_extra("numbers", f"--spell-numbers {language}")
    library = importlib.import_module("num2words")
    if language not in library.CONVERTER_CLASSES:
        known = ", ".join(sorted(library.CONVERTER_CLASSES))
        raise UserError("language-not-found", f"--spell-numbers {language}: numbers are known in {known}")

    def say(written: str, ordinal: bool) -> str:
        plain = written.replace(",", "") if _has_point(language) else written.replace(".", "").replace(",", ".")
        whole, _, decimals = plain.partition(".")
        if len(whole) > _LONGEST or (len(whole) > 1 and whole.startswith("0")):
            return " ".join(library.num2words(int(digit), lang=language) for digit in whole + decimals)
        if decimals:
            return library.num2words(plain, lang=language)
        return library.num2words(int(whole), ordinal=ordinal, lang=language)

    return say
