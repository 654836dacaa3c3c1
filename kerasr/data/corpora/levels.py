"""Words and speakers, where the folders have two levels: `word/speaker/1.wav`, or `speaker/word/1.wav`.

The two trees look alike, so that one level's names must tell: those of takes (`anna_take_3.wav` lies in `anna`), ids as
`speaker_07`, dates, or a word whose folder holds recordings itself. Where they do not, and the names in one folder
recur in others, nobody can know: the user is asked. Elsewhere the folder right above the recording is the word.
"""

import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kerasr.core.console import isolate
from kerasr.core.progress import console
from kerasr.data.corpora.speakers import describe_speakers, find_names, is_date, parse_take
from kerasr.data.manifest import Corpus, split_called
from kerasr.errors import UserError

# Ids that people are given: a noun and a number, a number with zeros in front, or a long one, or hexadecimal digits.
_ID = re.compile(
    r"(?:speaker|spkr?|subject|subj?|user|person|participant|voice|child|adult|female|male|id|[psfm])[-_ ]?\d+"
    r"|0\d+|\d{5,}|(?=.*\d)[0-9a-f]{8,}",
    re.IGNORECASE,
)
# A number of the same kind whose first digit is no zero, beside others: 10 beside 01.
_NUMBER = re.compile(r"\d+")

# Names in a message.
_NAMED = 5

Level = Literal["outer", "inner"]


@dataclass(frozen=True)
class Levels:
    """The two folders above each recording, less those that are called as splits are.

    Attributes:
        pairs: names of the outer and the inner folder; the outer one is "" where there is one folder alone.
        depth: how many folders lie above the outer one, of the first recording that has both.
        first: that recording's path.
    """

    pairs: tuple[tuple[str, str], ...]
    depth: int
    first: str

    @property
    def outer(self) -> list[str]:
        """Names of outer folders."""
        return sorted({outer for outer, _ in self.pairs if outer})

    @property
    def inner(self) -> list[str]:
        """Names of the folders in them."""
        return sorted({inner for outer, inner in self.pairs if outer})

    @property
    def alone(self) -> set[str]:
        """Names of folders that have none above them."""
        return {inner for outer, inner in self.pairs if not outer}

    def pattern(self, level: Level) -> str:
        """The `--speaker-pattern` that takes a level for the speakers."""
        return f"'^{'[^/]+/' * (self.depth + (level == 'inner'))}([^/]+)/'"


def assign_levels(corpus: Corpus) -> Corpus:
    """The corpus of a folder with its words and speakers, where its folders have two levels and one can tell them.

    Raises:
        UserError: nobody can.
    """
    levels = _levels_of(corpus)
    if len(corpus.labels) > 2 and _are_ids(corpus.labels):
        _warn(
            f"the labels of {corpus.name} look like ids of speakers, not like words: {_some(corpus.labels)}; the word "
            "is the folder right above the recordings"
        )
    if not levels.outer:
        return corpus
    if len(levels.inner) == 1 and len(levels.outer) > 1 and not levels.alone:
        _warn(
            f"each of {_some(levels.outer)} in {corpus.name} has one folder, {_some(levels.inner)}: the outer folders "
            "are taken for the words. Where the inner one is a speaker, add "
            f"--speaker-pattern {levels.pattern('inner')}"
        )
        return _with_words(corpus, levels)
    are_many = len(levels.outer) > 1 and len(levels.inner) > 1
    if are_many and all(map(is_date, levels.outer)):
        return corpus
    if are_many and all(map(is_date, levels.inner)):
        return _with_words(corpus, levels)
    if are_many and (speakers := _speaker_level(corpus, levels)):
        return _with_speakers(corpus, levels, speakers)
    if levels.alone & {*levels.inner}:
        return corpus
    if levels.alone & {*levels.outer}:
        _warn(
            f"{corpus.name} has recordings in {_some(levels.outer)}, and in folders in there ({_some(levels.inner)}): "
            f"all are taken for the word of the outer folder. Where the inner ones are speakers, add --speaker-pattern "
            f"{levels.pattern('inner')}"
        )
        return _with_words(corpus, levels)
    if are_many and _recur(levels):
        outer, inner = _some(levels.outer), _some(levels.inner)
        raise UserError(
            "layout-ambiguous",
            f"{corpus.root}: are {outer} the words, or the folders in there, {inner} (as in {levels.first})? Say who "
            "speaks: "
            f"--speaker-pattern {levels.pattern('inner')} takes {inner} for speakers and {outer} for words, "
            f"--speaker-pattern {levels.pattern('outer')} the other way round",
        )
    return corpus


def words_above_speakers(corpus: Corpus, pattern: str) -> Corpus:
    """The corpus of a folder with the words above the speakers, where a pattern finds these in the innermost folders.

    Args:
        corpus: its labels are the folders right above the recordings.
        pattern: as of `match_speakers`.

    Raises:
        UserError: as `match_speakers`.
    """
    levels = _levels_of(corpus)
    utterances = []
    for item, (name, start), (outer, inner) in zip(
        corpus.utterances, find_names(corpus, pattern), levels.pairs, strict=True
    ):
        folder = corpus.relative(item.path).rpartition("/")[0]
        is_speaker = outer and name == inner and start == len(folder) - len(inner)
        utterances.append(replace(item, label=sys.intern(outer)) if is_speaker else item)
    return replace(corpus, utterances=tuple(utterances), labels=())


def _levels_of(corpus: Corpus) -> Levels:
    pairs, depth, first = [], 0, ""
    for item in corpus.utterances:
        path = corpus.relative(item.path)
        folders = path.split("/")[:-1]
        number = next((place for place, name in enumerate(folders[:-1]) if split_called(name)), -1)
        # Without a split of folders, one that is called so is as any other.
        own = folders[number + 1 :] if corpus.has_official_split else folders
        outer = own[-2].strip() if len(own) > 1 else ""
        if outer and not first:
            depth, first = len(folders) - 2, path
        pairs.append((outer, own[-1].strip()))
    return Levels(tuple(pairs), depth, first)


def _speaker_level(corpus: Corpus, levels: Levels) -> Level | None:
    """The level that has the speakers' names; None where neither or both look so."""
    takes = [parse_take(os.path.basename(item.path)) for item in corpus.utterances]
    named: Counter[Level] = Counter()
    for take, (outer, inner) in zip(takes, levels.pairs, strict=True):
        named["outer"] += take is not None and take[0] == outer
        named["inner"] += take is not None and take[0] == inner
    if not (named["outer"] and named["inner"]):
        for level, number in named.items():
            if 2 * number > len(takes):
                return level
    outer, inner = _are_ids(levels.outer), _are_ids(levels.inner)
    return None if outer == inner else "outer" if outer else "inner"


def _are_ids(names: Sequence[str]) -> bool:
    """Whether names are such as people are given who shall not be named."""
    is_id = [bool(_ID.fullmatch(name)) for name in names]
    return all(is_id) or (any(is_id) and all(map(_NUMBER.fullmatch, names)))


def _recur(levels: Levels) -> bool:
    """Whether most of the names in one folder are those in others too."""
    above = defaultdict(set)
    for outer, inner in levels.pairs:
        if outer:
            above[inner].add(outer)
    return 2 * sum(len(names) > 1 for names in above.values()) >= len(above)


def _with_words(corpus: Corpus, levels: Levels) -> Corpus:
    """The corpus with the outer folders for words."""
    labelled = zip(corpus.utterances, levels.pairs, strict=True)
    utterances = tuple(replace(item, label=sys.intern(outer or inner)) for item, (outer, inner) in labelled)
    return replace(corpus, utterances=utterances, labels=())


def _with_speakers(corpus: Corpus, levels: Levels, level: Level) -> Corpus:
    """The corpus with one level for speakers, and the other for words."""
    if level == "inner":
        corpus = _with_words(corpus, levels)
        _warn(
            f"{corpus.name}: {_some(levels.outer)} are taken for words, and the folders in there, "
            f"{_some(levels.inner)}, for speakers; the other way round, add --speaker-pattern {levels.pattern('outer')}"
        )
    utterances, found = [], {}
    for item, pair in zip(corpus.utterances, levels.pairs, strict=True):
        speaker = pair[level == "inner"] if pair[0] else ""
        if speaker:
            found.setdefault(speaker, corpus.relative(item.path))
        utterances.append(replace(item, speaker=sys.intern(speaker)) if speaker else item)
    source = describe_speakers(found, "read off the folders")
    return replace(corpus, utterances=tuple(utterances), speaker_source=source)


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(isolate, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")


def _warn(line: str) -> None:
    console().print(f"warning: {line}", style="yellow")
