"""Who speaks, read off the names of recordings, where no manifest and no published corpus says it.

A recording called `anna_take_3.wav`, as `kerasr.record` calls them, is by `anna`. In names of other kinds an id is
guessed that recurs in several words, as the first number of `NO/00000001_NO_01.wav` and `anna` in `yes/yes-anna-3.wav`.
`--speaker-pattern` says it where the guess is wrong or there is none.

A date is nobody's name. Neither is a word: whose takes are all of one word, and who is called like it or is alone in
it, as in `yes/yes_take_1.wav`, is no speaker; and in a guess, whoever speaks one word only.
"""

import os
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kerasr.data.manifest import SPLITS, Corpus, Utterance
from kerasr.errors import UserError

_TAKE = re.compile(r"(.+)_take_(\d+)\.\w+")

# Year first, as 2024-05-01 and 20240501T103000; year last, as 1.5.2024; years of two digits, as 01-05-24.
_DATE = re.compile(
    r"""(?<!\d)(?:
        (?:19|20)\d\d ([-.]) (?:0?[1-9]|1[0-2]) \1 (?:0?[1-9]|[12]\d|3[01])
        | (?:19|20)\d\d (_?) (?:0[1-9]|1[0-2]) \2 (?:0[1-9]|[12]\d|3[01]) (?:\d{4,6})?
        | \d\d? ([-._]) \d\d? \3 (?:19|20)\d\d
        | (?<!\d[-.]) \d\d ([-.]) (?:0[1-9]|1[0-2]) \4 \d\d (?![-.]\d)
    )(?!\d)(?:T\d[-.:\d]*Z?)?""",
    re.VERBOSE,
)
_LONE_NUMBER = re.compile(r"(?<![^\W_])\d+(?![^\W_])")
_NUMBERED = re.compile(r"([^\W\d_]+)\d+")

# Speakers that are named where they are read off names: enough to see whether they are some.
_NAMED = 5
# A guess serves the split by speaker, which needs so many.
_LEAST_SPEAKERS = len(SPLITS)


def take_name(speaker: str, number: int) -> str:
    """The name of a speaker's recording, from which `parse_take` tells both."""
    return f"{speaker}_take_{number}.wav"


def parse_take(name: str) -> tuple[str, int] | None:
    """Speaker and number of a recording called `anna_take_3.wav`; None where it is called otherwise."""
    match = _TAKE.fullmatch(unicodedata.normalize("NFC", name))
    return (match.group(1).strip(), int(match.group(2))) if match else None


def name_speakers(corpus: Corpus) -> Corpus:
    """The corpus with the speakers that its file names tell: those of takes, and a guess for all others."""
    corpus = name_takes(corpus)
    return _named(corpus, _guess(corpus), "guessed from the file names")


def name_takes(corpus: Corpus) -> Corpus:
    """The corpus with the speakers of recordings called `anna_take_3.wav`; those that have one keep it."""
    takes = (parse_take(os.path.basename(item.path)) for item in corpus.utterances)
    names = [_without_date(take[0]) if take else "" for take in takes]
    words = _words_among(corpus, names)
    return _named(corpus, ["" if name in words else name for name in names], "read off the file names")


def match_speakers(corpus: Corpus, pattern: str) -> Corpus:
    """The corpus with the speakers that a pattern finds, in place of all others.

    Args:
        corpus: any.
        pattern: a regular expression, searched in each recording's path beneath the corpus's folder, with `/`. Its
            first group that matched is the speaker; where it finds nothing, the speaker is not known.

    Raises:
        UserError: the pattern is no regular expression, has no group, or finds no speaker at all.
    """
    names = [name for name, _ in find_names(corpus, pattern)]
    nameless = tuple(replace(item, speaker=None) for item in corpus.utterances)
    return _named(
        replace(corpus, utterances=nameless, speaker_source=""), names, f"found by --speaker-pattern {pattern}"
    )


def find_names(corpus: Corpus, pattern: str) -> list[tuple[str, int]]:
    """The name that a pattern finds in each recording's path, and where in the path it begins; ("", -1) for none.

    Args:
        corpus: any.
        pattern: as of `match_speakers`.

    Raises:
        UserError: as `match_speakers`.
    """
    try:
        expression = re.compile(unicodedata.normalize("NFC", pattern))
    except re.error as error:
        raise UserError(
            "setting-invalid", f"--speaker-pattern {pattern}: is no regular expression ({error})"
        ) from error
    if not expression.groups:
        raise UserError(
            "setting-invalid", f"--speaker-pattern {pattern}: put the part that is the speaker into parentheses"
        )
    names = []
    for item in corpus.utterances:
        match = expression.search(corpus.relative(item.path))
        group = next((number for number, text in enumerate(match.groups(), 1) if text), 0) if match else 0
        names.append((match[group].strip(), match.start(group)) if match and group else ("", -1))
    if not any(name for name, _ in names):
        first = corpus.relative(corpus.utterances[0].path)
        raise UserError(
            "speaker-not-found",
            f"--speaker-pattern {pattern}: finds no speaker in {corpus.source}; the first path is {first}",
        )
    return names


def is_date(name: str) -> bool:
    """Whether a name is a date and nothing else: nobody's name, and no word."""
    return not _without_date(name)


def describe_speakers(found: Mapping[str, str], how: str) -> str:
    """One phrase for `Corpus.speaker_source`; "" for nobody.

    Args:
        found: each speaker, with the relative path of a recording.
        how: how they were found, as `read off the file names`.
    """
    if not found:
        return ""
    names = sorted(found)
    who = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    verb = "speakers were" if len(names) > 1 else "speaker was"
    phrase = f"{len(names):,} {verb} {how}, as in {found[names[0]]}: {who}"
    # A name need not be in UTF-8.
    return phrase.encode("utf-8", "backslashreplace").decode()


def _named(corpus: Corpus, names: Sequence[str], how: str) -> Corpus:
    """The corpus with these names, "" for none, for recordings that have no speaker; it says how they were found."""
    utterances, found = [], {}
    for item, name in zip(corpus.utterances, names, strict=True):
        if name and item.speaker is None:
            item = replace(item, speaker=sys.intern(name))
            found.setdefault(name, corpus.relative(item.path))
        utterances.append(item)
    source = "; ".join(filter(None, (corpus.speaker_source, describe_speakers(found, how))))
    return replace(corpus, utterances=tuple(utterances), speaker_source=source)


def _words_among(corpus: Corpus, names: Sequence[str]) -> set[str]:
    """Names of takes that are no people: of one label only, which they say, or in which there is no other name."""
    labels_of, names_of = defaultdict(set), defaultdict(set)
    for item, name in zip(corpus.utterances, names, strict=True):
        if name:
            labels_of[name].add(item.label or "")
            names_of[item.label or ""].add(name)
    only = {name: next(iter(labels)) for name, labels in labels_of.items() if len(labels) == 1}
    words = {name for name, label in only.items() if len(_without_label(_fields(name), label)) < len(_fields(name))}
    if len(corpus.labels) > 1:
        words |= {name for name, label in only.items() if names_of[label] - words == {name}}
    return words


def _guess(corpus: Corpus) -> list[str]:
    """The field of each nameless recording's name that looks like an id of people, "" where there is none.

    It is the first that has three values which recur in several words, as most of those recordings have. Its other
    values are nobody, and neither is a last number, which counts takes.
    """
    fields = [_id_fields(item) if item.speaker is None else [] for item in corpus.utterances]
    nameless = sum(item.speaker is None for item in corpus.utterances)
    for place in range(max(map(len, fields), default=0)):
        values = [parts[place] if place < len(parts) else "" for parts in fields]
        labels_of = defaultdict(set)
        for item, value in zip(corpus.utterances, values, strict=True):
            if value:
                labels_of[value].add(item.label)
        recurring = {value for value, labels in labels_of.items() if len(labels) > 1}
        if len(recurring) >= _LEAST_SPEAKERS and 2 * sum(value in recurring for value in values) > nameless:
            return [value if value in recurring else "" for value in values]
    return [""] * len(fields)


def _id_fields(item: Utterance) -> list[str]:
    """The parts of a recording's name that may tell who speaks."""
    stem = os.path.splitext(os.path.basename(item.path))[0]
    return _without_label(_fields(stem), item.label or "")


def _fields(name: str) -> list[str]:
    """The parts of a name, less its date and its last number, which stands alone or behind letters."""
    fields = [part for part in re.split(r"[\W_]+", _without_date(unicodedata.normalize("NFC", name))) if part]
    for place in reversed(range(len(fields))):
        if fields[place].isdecimal():
            return fields[:place] + fields[place + 1 :]
    for place in reversed(range(len(fields))):
        if match := _NUMBERED.fullmatch(fields[place]):
            return [*fields[:place], match[1], *fields[place + 1 :]]
    return fields


def _without_label(fields: list[str], label: str) -> list[str]:
    """The fields less those that say the label."""
    said = [part for part in re.split(r"[\W_]+", label.casefold()) if part]
    for place in range(len(fields) - len(said) + 1):
        if said and [part.casefold() for part in fields[place : place + len(said)]] == said:
            return fields[:place] + fields[place + len(said) :]
    return fields


def _without_date(name: str) -> str:
    """The name less a date, and less the numbers beside it, which are a time."""
    rest, dates = _DATE.subn("", name)
    return _LONE_NUMBER.sub("", rest).strip(" -_.,") if dates else name
