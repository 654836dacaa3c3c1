"""Common Voice, a language's folder: recordings in `clips/`, and their texts in `train.tsv`, `dev.tsv`, `test.tsv`.

These tables are the split, in which no speaker is in two. `validated.tsv` is read where there is no `train.tsv`. Clips
that are in none of these, as those that nobody has validated, are left alone.
"""

import csv
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kerasr.data.corpora.registry import register_corpus
from kerasr.data.corpora.transcripts import Entry, match_texts, read_text
from kerasr.data.manifest import Corpus
from kerasr.errors import UserError

NAME = "common_voice"
LICENCE = "CC0 1.0"
SOURCE = "https://commonvoice.mozilla.org/datasets"

_CLIPS = "clips"
_SPLITS = {"train.tsv": "train", "dev.tsv": "validation", "test.tsv": "test"}
_ALL = "validated.tsv"
_COLUMNS = ("client_id", "path", "sentence")
# What a score can be told by; names of columns have changed between releases.
_FACTS = ("age", "gender", "accents", "accent", "variant")
# Digits of the 128 of a `client_id`: enough to tell all speakers apart, and to be read in a table.
_SPEAKER_DIGITS = 16


def is_common_voice(path: str) -> bool:
    """Whether `path` is laid out as a language of the corpus is."""
    return os.path.isdir(os.path.join(path, _CLIPS)) and any(
        os.path.isfile(os.path.join(path, name)) for name in ("train.tsv", _ALL)
    )


@register_corpus(NAME, recognise=is_common_voice)
def read_common_voice(path: str) -> Corpus:
    """The corpus in `path`.

    Args:
        path: the folder of one language.

    Returns:
        The utterances, whose speakers are called by the first 16 digits of their `client_id`, with the columns of age,
        gender and accent; rows without a recording are among the `bad`.

    Raises:
        UserError: a table lacks a column, is no UTF-8 text, or has a recording that another line has, or one that
            leads out of the folder.
    """
    tables = [name for name in _SPLITS if os.path.isfile(os.path.join(path, name))]
    tables = tables if "train.tsv" in tables else [_ALL]
    texts: dict[str, Entry] = {}
    facts: dict[str, dict[str, Any]] = {}
    for name in tables:
        for where, row in _read_rows(os.path.join(path, name)):
            clip = row["path"]
            if clip in texts:
                raise UserError("recording-twice", f"{where}: lists {clip} again (first in {texts[clip].where})")
            texts[clip] = Entry(row["sentence"], where)
            extra = {column: sys.intern(row[column]) for column in _FACTS if row.get(column)}
            speaker = sys.intern(row["client_id"][:_SPEAKER_DIGITS]) or None
            facts[clip] = {"speaker": speaker, "split": _SPLITS.get(name), "extra": extra}
    clips = os.path.join(os.path.abspath(path), _CLIPS)
    present = set(os.listdir(clips))
    found, bad = match_texts(texts, {name: os.path.join(clips, name) for name in texts if name in present})
    return Corpus(
        NAME,
        tuple(replace(item, **facts[name]) for name, item in found.items()),
        licence=LICENCE,
        source=SOURCE,
        root=os.path.abspath(path),
        official_split=f"the tables {', '.join(tables)}" if _ALL not in tables else "",
        bad=tuple(bad),
    )


def _read_rows(table: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row of a table stands, and its fields by column."""
    # (Sentences have quotation marks of their own: in these tables they mean nothing.)
    reader = csv.DictReader(read_text(table).split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
    if lacking := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
        raise UserError("corpus-damaged", f"{table}: its first line does not name the column {lacking[0]}")
    for row in reader:
        where = f"{table}:{reader.line_num}"
        if not row["path"] or os.path.basename(row["path"]) != row["path"]:
            raise UserError("corpus-damaged", f"{where}: {row['path']!r} is no name of a recording in {_CLIPS}")
        yield where, row
