"""Kaldi's data directories: `wav.scp` (recordings), `text`, and where they are known `utt2spk` and `segments`.

In place of recordings there may be features that were computed elsewhere, `feats.scp`, each one an utterance's; their
frame shift is that of the file `frame_shift` where there is one. Where both lists are, the recordings are read.

Folders called as splits are (`train`, `dev`, `test`; `manifest.SPLIT_NAMES`), each with these lists, are the split. A
relative path is one from the directory, or from a folder above it, since Kaldi's recipes run two folders above.
Features lie in the corpus's folder, or in that of the Kaldi recipe whose `data` it is: `feats.scp` leads nowhere else.

Lines that end in a pipe are commands. kerasr runs none: a list of recordings is data.
"""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace

from kerasr.config import FeatureSpec
from kerasr.data.archives import matrix_shape, split_place
from kerasr.data.corpora.segments import Segment, cut_segments
from kerasr.data.corpora.transcripts import Entry, match_texts, read_table, read_text
from kerasr.data.manifest import Corpus, Utterance, split_called
from kerasr.errors import UserError

_RECORDINGS, _TEXTS, _SPEAKERS, _SEGMENTS = "wav.scp", "text", "utt2spk", "segments"
_FEATURES, _FRAME_SHIFT = "feats.scp", "frame_shift"
# Each of Kaldi's recipes has it, beside the folder `data` of its directories: `s5/path.sh`, `s5/data/train`, `s5/mfcc`.
_RECIPE = "path.sh"
# What stands behind the colon of `--data DIRECTORY:features`.
FEATURES_OPTION = "features"
# Where no file tells, in seconds, as Kaldi's own scripts take it then.
_USUAL_SHIFT = 0.01


def is_kaldi(path: str) -> bool:
    """Whether `path` is a data directory with recordings, or features, and texts, or holds one called as a split is."""
    return bool(_directories(path, _RECORDINGS) or _directories(path, _FEATURES))


def read_kaldi(path: str, option: str = "") -> Corpus:
    """The corpus in a data directory, or in those of a split.

    Args:
        path: the directory, or the folder that holds the split's.
        option: `features` to take these where there are recordings, too.

    Returns:
        The utterances; segments are cut out of their recordings into the cache. Texts without a recording, recordings
        or segments without a text, segments beyond a recording's end, and features that lie elsewhere are among the
        `bad`.

    Raises:
        UserError: a list has a command (`recording-is-command`), is no UTF-8 text, has a name twice, or names what
            another lacks; there are no features to take; the cache cannot be written.
    """
    root = os.path.abspath(path)
    utterances: dict[str, Utterance] = {}
    segments: dict[str, Segment] = {}
    bad: list[tuple[str, str]] = []
    listing = _RECORDINGS if not option and _directories(root, _RECORDINGS) else _FEATURES
    splits = _directories(root, listing)
    if not splits:
        raise UserError("corpus-incomplete", f"{path}:{option}: there is no {_FEATURES} beside {_TEXTS}")
    for name, folder in splits.items():
        found, cuts, alone = _read_directory(folder, listing, root)
        prefix = f"{name}-" if name else ""
        utterances |= {f"{prefix}{key}": replace(item, split=split_called(name)) for key, item in found.items()}
        segments |= {f"{prefix}{key}": cut for key, cut in cuts.items()}
        bad += alone
    made = ""
    if segments:
        made, clips, failed = cut_segments(segments)
        bad += failed
        utterances = {key: item for key, item in utterances.items() if key not in segments or key in clips}
        utterances = {key: replace(item, path=clips.get(key, item.path)) for key, item in utterances.items()}
    return Corpus(
        os.path.basename(root),
        tuple(utterances.values()),
        source=path,
        root=root,
        official_split=f"the folders {', '.join(splits)}" if len(splits) > 1 else "",
        bad=tuple(bad),
        made=made,
        features=_features_spec(utterances.values(), splits.values()) if listing == _FEATURES else None,
    )


def _directories(path: str, listing: str) -> dict[str, str]:
    """The directories with that list by the name of their split, which is "" where `path` is one itself."""
    folders = {"": path} | {name: os.path.join(path, name) for name in sorted(os.listdir(path)) if split_called(name)}
    held = {
        name: folder
        for name, folder in folders.items()
        if all(os.path.isfile(os.path.join(folder, one)) for one in (listing, _TEXTS))
    }
    return {"": path} if "" in held else held


def _read_directory(
    folder: str, listing: str, root: str
) -> tuple[dict[str, Utterance], dict[str, Segment], list[tuple[str, str]]]:
    """Utterances of a directory by name, the segments among them, and what is bad."""
    place = _place if listing == _RECORDINGS else _features_place
    listed = {name: place(folder, entry) for name, entry in read_table(os.path.join(folder, listing)).items()}
    # (Features have been cut already.)
    segments = _optional(folder, _SEGMENTS) if listing == _RECORDINGS else {}
    cuts = {name: _segment(entry, listed) for name, entry in segments.items()}
    places = {name: cut.recording for name, cut in cuts.items()} if cuts else listed
    found, bad = match_texts(read_table(os.path.join(folder, _TEXTS)), places)
    if listing == _FEATURES:
        outside = {name for name, item in found.items() if not _may_hold(root, split_place(item.path)[0])}
        bad += [
            (found.pop(name).path, f"lies outside of {root}: copy the features of {name} into it")
            for name in sorted(outside)
        ]
    speakers = {name: entry.value for name, entry in _optional(folder, _SPEAKERS).items()}
    # Where nobody knows who speaks, Kaldi asks for each utterance as a speaker of its own.
    if all(name == speaker for name, speaker in speakers.items()):
        speakers = {}
    utterances = {name: replace(item, speaker=speakers.get(name) or None) for name, item in found.items()}
    return utterances, {name: cut for name, cut in cuts.items() if name in utterances}, bad


def _optional(folder: str, name: str) -> dict[str, Entry]:
    path = os.path.join(folder, name)
    return read_table(path) if os.path.isfile(path) else {}


def _place(folder: str, entry: Entry) -> str:
    """Absolute path of a recording; where there is none, as it would be in the directory itself."""
    path, where = entry
    if path.startswith("|") or path.endswith("|"):
        raise UserError(
            "recording-is-command",
            f"{where}: {path[:60]!r} is a command, and kerasr runs none: make files of the recordings (WAV, FLAC, "
            "SPHERE, ...) or archives of the features, by this command for one, and list those",
        )
    above = [folder, os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))]
    places = [os.path.normpath(os.path.join(one, path)) for one in above]
    return next((place for place in places if os.path.isfile(place)), places[0])


def _features_place(folder: str, entry: Entry) -> str:
    """Path of features: the archive's, as a recording's, and where the matrix stands in it."""
    path, rest = split_place(entry.value)
    return _place(folder, entry._replace(value=path)) + rest


def _may_hold(root: str, path: str) -> bool:
    """Whether features may lie there: in the corpus's folder or in the recipe's, by name or by links."""
    recipes = (os.path.dirname(one) for one in (root, os.path.dirname(root)) if os.path.basename(one) == "data")
    folders = [root, *(one for one in recipes if os.path.isfile(os.path.join(one, _RECIPE)))]
    return any(
        name(path).startswith(os.path.join(name(one), ""))
        for one in folders
        for name in (os.path.abspath, os.path.realpath)
    )


def _features_spec(utterances: Iterable[Utterance], folders: Iterable[str]) -> FeatureSpec:
    """As wide as the first matrix that can be read; what differs from it is bad."""
    shifts = {_read_shift(folder) for folder in folders}
    if len(shifts) > 1:
        raise UserError("corpus-damaged", f"{_FRAME_SHIFT}: the splits have other ones: {sorted(shifts)}")
    for item in utterances:
        with contextlib.suppress(UserError):
            return FeatureSpec.given(matrix_shape(item.path)[1], *shifts)
    return FeatureSpec.given(1, *shifts)


def _read_shift(folder: str) -> float:
    """Seconds from one frame to the next."""
    path = os.path.join(folder, _FRAME_SHIFT)
    text = read_text(path).strip() if os.path.isfile(path) else str(_USUAL_SHIFT)
    try:
        if 0.001 <= (shift := float(text)) <= 1:
            return shift
    except ValueError:
        pass
    raise UserError("corpus-damaged", f"{path}: {text[:60]!r} is no frame shift in seconds, as {_USUAL_SHIFT}")


def _segment(entry: Entry, listed: dict[str, str]) -> Segment:
    """`RECORDING START END`; an end of -1 is the recording's."""
    fields = entry.value.split()
    try:
        recording, start, end = fields[0], float(fields[1]), float(fields[2])
        if len(fields) != 3 or not 0 <= start < (start + 1 if end == -1 else end):
            raise ValueError
    except (ValueError, IndexError):
        raise UserError(
            "corpus-damaged", f"{entry.where}: {entry.value[:60]!r} is not RECORDING START END, in seconds"
        ) from None
    if recording not in listed:
        raise UserError("corpus-damaged", f"{entry.where}: {recording} has no line in {_RECORDINGS}")
    return Segment(listed[recording], start, None if end == -1 else end)
