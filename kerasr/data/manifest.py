"""A corpus is a list of utterances and the facts they share; a manifest is that list in a CSV or JSONL file.

Columns (or keys): `path`, `label`, `text`, `speaker`, `split`, `duration`. Only `path` must be there, a task says what
else it reads; columns of other names (accent, room, microphone) are kept as an utterance's `extra` facts. A relative
path starts at the manifest's own folder. `split` is train, validation or test, or another of `SPLIT_NAMES`; `noise`
marks a background recording, and `unlabelled` one that may have no label yet: it is left out until it has one, and is
then for training. A run's manifest has the column `content_hash` too, so that its recordings are known again
where they have moved.
"""

import csv
import dataclasses
import functools
import io
import json
import math
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kerasr import audio
from kerasr.config import FeatureSpec, parse_json
from kerasr.core import atomic
from kerasr.core.progress import console, map_threaded
from kerasr.core.regular import open_regular
from kerasr.core.signatures import plain_signature
from kerasr.core.tables import table_writer
from kerasr.data.archives import matrix_shape
from kerasr.errors import UserError

SPLITS = ("train", "validation", "test")
# What people call them, in a manifest's column and as the folders of a layout.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing", "eval"),
}
COLUMNS = ("path", "label", "text", "speaker", "split", "duration")
SUFFIXES = (".csv", ".jsonl")
_NOISE = "noise"
UNLABELLED = "unlabelled"
_SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}
_HASH = "content_hash"


@plain_signature
@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording and its facts.

    Attributes:
        path: absolute path of the recording; or of several, joined with pauses (`kerasr.audio.joined`).
        label: the word that is said, if the corpus is one of words.
        text: the transcript, if it is one of sentences.
        speaker: who speaks; None where the corpus does not tell.
        split: `train`, `validation` or `test`; None where it is not decided.
        duration: length in seconds; None where no one has looked.
        extra: the manifest's other columns, by name, where they are filled: `accent`, `room`, what the user likes.
        content_hash: what `with_hashes` makes of the file's content; None where no one has looked.
    """

    path: str
    label: str | None = None
    text: str | None = None
    speaker: str | None = None
    split: str | None = None
    duration: float | None = None
    extra: dict[str, str] = field(default_factory=dict, hash=False)
    content_hash: str | None = None

    def fact(self, column: str) -> str | None:
        """What stands in a column of the manifest, `speaker` or `accent`; None where that is empty."""
        return _field(getattr(self, column)) if column in COLUMNS else self.extra.get(column)


@dataclass(frozen=True)
class Corpus:
    """Utterances and what they have in common.

    Attributes:
        name: short name, as in the summary and the run's folder.
        utterances: the recordings.
        licence: under which licence they are published; "" where it is not known.
        source: where they are published, or the folder they lie in.
        root: folder that paths are taken relative to where a rule or the fingerprint looks at them.
        noise: absolute paths of background recordings.
        labels: every label, in the corpus's own order where it has one, else sorted.
        official_split: one phrase that says which split the corpus comes with, set on its utterances; "" for none.
        bad: recordings left out, as pairs of path and reason.
        speaker_source: one phrase that says who was read off names of files, and how; "" where the corpus names all.
        made: folder outside of the root with recordings that were made of the others; "" for none.
        features: what stands in place of recordings, where that is features which were computed elsewhere; the
            utterances' paths name them (`kerasr.data.archives`).
    """

    name: str
    utterances: tuple[Utterance, ...]
    licence: str = ""
    source: str = ""
    root: str = ""
    noise: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    official_split: str = ""
    bad: tuple[tuple[str, str], ...] = ()
    speaker_source: str = ""
    made: str = ""
    features: FeatureSpec | None = None

    def __post_init__(self) -> None:
        if not self.labels:
            labels = sorted({item.label for item in self.utterances if item.label is not None})
            object.__setattr__(self, "labels", tuple(labels))

    @property
    def has_official_split(self) -> bool:
        """Whether the corpus comes with a split of its own."""
        return bool(self.official_split)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Every known speaker, sorted."""
        return tuple(sorted({item.speaker for item in self.utterances if item.speaker is not None}))

    def relative(self, path: str) -> str:
        """`path` from the corpus's root, with `/` and in one Unicode form: the same on every machine."""
        root = self.made if self.made and path.startswith(os.path.join(self.made, "")) else self.root
        inside = os.path.relpath(path, root) if root else path
        return unicodedata.normalize("NFC", inside.replace(os.sep, "/"))


def split_called(name: str) -> str | None:
    """The split that a name means, as `val` and `Dev` mean `validation`; None where it means none."""
    return _SPLIT_OF.get(name.casefold())


def read_manifest(path: str | os.PathLike[str]) -> Corpus:
    """The corpus that a CSV or JSONL manifest lists; the recordings themselves are not looked at.

    Raises:
        UserError: the manifest is missing, is not UTF-8, or has a row that cannot be used. The line names the row.
    """
    path = os.path.abspath(path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise UserError("manifest-unreadable", f"{path}: a manifest ends in {' or '.join(SUFFIXES)}")
    try:
        with open_regular(path, encoding="utf-8-sig", newline="") as file:
            rows = _csv_rows(file, path) if suffix == ".csv" else _jsonl_rows(file, path)
            utterances, noise, num_unlabelled = _utterances(rows, path)
    except FileNotFoundError:
        raise UserError("manifest-not-found", f"{path}: there is no such manifest") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            "manifest-unreadable", f"{path}: cannot be read as UTF-8 text ({error}); save it as UTF-8"
        ) from error
    if num_unlabelled:
        count = f"{num_unlabelled:,} recording{'s' * (num_unlabelled > 1)}"
        console().print(f"note: left out of {path}: {count} without a label yet")
    if not utterances:
        if num_unlabelled:
            raise UserError("label-missing", f"{path}: no row has a label yet; fill the column label")
        raise UserError("manifest-empty", f"{path}: lists no recording")
    decided = sum(item.split is not None for item in utterances)
    if 0 < decided < len(utterances):
        first = next(item.path for item in utterances if item.split is None)
        raise UserError(
            "split-missing",
            f"{path}: {first} has no split and other rows have one; fill the column, or leave it out",
        )
    return Corpus(
        name=os.path.splitext(os.path.basename(path))[0],
        utterances=tuple(utterances),
        source=path,
        root=os.path.dirname(path),
        noise=tuple(noise),
        official_split=f"the split column of {os.path.basename(path)}" if decided else "",
    )


def write_manifest(path: str | os.PathLike[str], utterances: Iterable[Utterance], noise: Iterable[str] = ()) -> None:
    """Write a CSV or JSONL manifest, whole or not at all; paths beneath its folder are written relative to it.

    Raises:
        UserError: the name ends in neither `.csv` nor `.jsonl`.
        OSError: the file cannot be written.
    """
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    listed = [*utterances, *(Utterance(item, split=_NOISE) for item in noise)]
    rows = [manifest_row(item, folder) for item in listed]
    text = io.StringIO()
    if path.lower().endswith(".csv"):
        # Each column once, in the order in which they appear.
        columns = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
        writer = table_writer(text, list(columns))
        writer.writeheader()
        writer.writerows(rows)
    elif path.lower().endswith(".jsonl"):
        for row in rows:
            kept = {key: value for key, value in row.items() if value is not None}
            text.write(json.dumps(kept, ensure_ascii=False) + "\n")
    else:
        raise UserError("manifest-unreadable", f"{path}: a manifest ends in {' or '.join(SUFFIXES)}")
    atomic.write_bytes(path, text.getvalue().encode())


def manifest_row(item: Utterance, folder: str | None = None) -> dict[str, Any]:
    """A manifest's row: columns and values; the path relative to `folder`, the manifest's own, if it lies there."""
    row = dataclasses.asdict(item)
    if folder is not None:
        row["path"] = _beneath(row["path"], folder)
    row.update(row.pop("extra"))
    if row[_HASH] is None:
        del row[_HASH]
    return row


def check_recordings(corpus: Corpus, max_bad: int) -> Corpus:
    """The corpus with each recording's duration from its header, less the bad ones, which are listed on stderr.

    Args:
        corpus: its `bad` recordings, found by the reader, count too.
        max_bad: how many bad recordings are left out before it is too much.

    Raises:
        UserError: there are more bad recordings than that, or nothing else.
    """
    kept: list[Utterance] = []
    bad = list(corpus.bad)
    paths = [item.path for item in corpus.utterances]
    look = _header if corpus.features is None else functools.partial(_features_header, spec=corpus.features)
    for item, found in zip(corpus.utterances, map_threaded(look, paths, "Reading headers"), strict=True):
        if isinstance(found, str):
            bad.append((_readable(item.path), found))
        else:
            kept.append(dataclasses.replace(item, duration=found))
    noise = []
    for path in corpus.noise:
        found = _header(path)
        if isinstance(found, str):
            bad.append((_readable(path), found))
        else:
            noise.append(path)
    if bad:
        report_bad(corpus, bad, max_bad)
    if not kept:
        raise UserError("recordings-unusable", f"{corpus.source}: none of its {len(paths)} recordings can be used")
    present = {item.label for item in kept}
    labels = tuple(label for label in corpus.labels if label in present)
    return dataclasses.replace(corpus, utterances=tuple(kept), noise=tuple(noise), labels=labels, bad=tuple(bad))


def _header(path: str) -> float | str:
    """Duration in seconds, or the reason why the recording is bad."""
    if _readable(path) != path:
        return "its name is not in UTF-8, as a manifest is; rename it"
    try:
        return audio.facts(path).duration
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")


def _features_header(path: str, spec: FeatureSpec) -> float | str:
    """Duration in seconds of given features, or the reason why they are bad."""
    try:
        frames, width = matrix_shape(path)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
    if width != spec.n_mels:
        return f"has {width} features a frame, and others {spec.n_mels}"
    return frames * spec.hop_length / spec.sample_rate


def _readable(path: str) -> str:
    """The path, with bytes that are no UTF-8 written out."""
    return path.encode("utf-8", "backslashreplace").decode()


def report_bad(corpus: Corpus, bad: list[tuple[str, str]], max_bad: int, listed: int = 0) -> None:
    """List what is left out, or stop where it is too much.

    Args:
        corpus: whose recordings they are.
        bad: path and reason of each.
        max_bad: how many are left out before it is too much.
        listed: so many of them, from the first, have been listed by another check.

    Raises:
        UserError: there are more (`too-many-bad-recordings`).
    """
    out = console()
    count = f"{len(bad)} bad recording{'s' * (len(bad) > 1)}"
    verb = "left out" if len(bad) <= max_bad else "found"
    before = f", {listed} of them listed above" if listed else ""
    out.print(f"warning: {count} {verb} in {corpus.name}{before}:", style="yellow")
    for path, reason in bad[listed : max(max_bad, listed) + 1]:
        out.print(f"  {path}: {reason}")
    if len(bad) > max_bad:
        raise UserError(
            "too-many-bad-recordings",
            f"{corpus.source}: {count}, and --max-bad allows {max_bad}; the first is {bad[0][0]} ({bad[0][1]}); "
            "mend them, or raise it",
        )


def _csv_rows(file: Iterable[str], path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and rows of a CSV file."""
    reader = csv.DictReader(file)
    if reader.fieldnames is None or "path" not in reader.fieldnames:
        raise UserError(
            "manifest-columns-missing",
            f"{path}: the first line must name the columns, `path` among them ({','.join(COLUMNS)})",
        )
    for row in reader:
        yield reader.line_num, row


def _jsonl_rows(file: Iterable[str], path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and objects of a JSON Lines file."""
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise UserError("manifest-row-invalid", f"{path}: line {number} is not JSON ({reason})") from error
        if not isinstance(row, dict):
            raise UserError("manifest-row-invalid", f"{path}: line {number} is not a JSON object with a `path`")
        yield number, row


def _utterances(rows: Iterable[tuple[int, dict[str, Any]]], path: str) -> tuple[list[Utterance], list[str], int]:
    """Utterances and background recordings of the manifest's rows, and how many have no label yet."""
    folder = os.path.dirname(path)
    lines: dict[str, int] = {}
    utterances, noise, labelled, num_unlabelled = [], [], [], 0
    for number, row in rows:
        fields = {name: _field(row.get(name)) for name in (*COLUMNS, _HASH)}
        where = f"{path}: line {number}"
        if fields["path"] is None:
            raise UserError("manifest-row-invalid", f"{where} has no path")
        if "\0" in fields["path"]:
            raise UserError(
                "manifest-row-invalid", f"{where} has the path {fields['path']!r}: no file's name holds a zero byte"
            )
        recording = os.path.normpath(os.path.join(folder, fields["path"]))
        if recording in lines:
            raise UserError(
                "recording-twice", f"{where} lists {fields['path']} again (first on line {lines[recording]})"
            )
        lines[recording] = number
        split = (fields["split"] or "").casefold()
        if split == _NOISE:
            noise.append(recording)
        elif split == UNLABELLED and fields["label"] is None:
            num_unlabelled += 1
        else:
            if split == UNLABELLED:
                fields["split"] = None
                labelled.append(len(utterances))
            extra = {sys.intern(name): sys.intern(value) for name, value in _extra(row)}
            utterances.append(_utterance(recording, fields, extra, where))
    if any(item.split for item in utterances):
        for index in labelled:
            utterances[index] = dataclasses.replace(utterances[index], split="train")
    return utterances, noise, num_unlabelled


def _extra(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of the columns that kerasr has no use for; those without a name or a value are left out."""
    for name, value in row.items():
        if name and name not in (*COLUMNS, _HASH) and (text := _field(value)):
            yield name, text


def _utterance(recording: str, fields: dict[str, str | None], extra: dict[str, str], where: str) -> Utterance:
    """The utterance of one row; labels and speakers, which repeat, are kept once in memory."""
    split = split_called(fields["split"] or "")
    if fields["split"] is not None and split is None:
        raise UserError(
            "manifest-row-invalid",
            f"{where} has the split {fields['split']!r}: use {', '.join(SPLITS)}, {_NOISE} or {UNLABELLED}",
        )
    try:
        duration = None if fields["duration"] is None else float(fields["duration"])
        if duration is not None and not 0 <= duration < math.inf:
            raise ValueError
    except ValueError:
        raise UserError(
            "manifest-row-invalid", f"{where} has the duration {fields['duration']!r}: give seconds, or leave it out"
        ) from None
    # One word or name, however its accents are written.
    label, speaker = (
        value and sys.intern(unicodedata.normalize("NFC", value)) for value in map(fields.get, ("label", "speaker"))
    )
    return Utterance(recording, label, fields["text"], speaker, split, duration, extra, fields[_HASH])


def _field(value: Any) -> str | None:
    """A column's value as text, None where it is empty."""
    return (str(value).strip() or None) if value is not None else None


def _beneath(path: str, folder: str) -> str:
    """`path` relative to `folder` if it lies in it, else as it is."""
    prefix = folder.rstrip(os.sep) + os.sep
    return path[len(prefix) :].replace(os.sep, "/") if path.startswith(prefix) else path
