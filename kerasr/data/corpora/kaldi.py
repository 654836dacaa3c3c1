"""Kaldi's data directories: `wav.scp` (recordings), `text`, and where they are known `utt2spk` and `segments`.

Folders called as splits are (`train`, `dev`, `test`; `manifest.SPLIT_NAMES`), each with these lists, are the split. A
relative path is one from the directory, or from a folder above it, since Kaldi's recipes run two folders above.

Lines of `wav.scp` that end in a pipe are commands. kerasr runs none: a list of recordings is data.
"""

import os
from dataclasses import replace

from kerasr.data.corpora.segments import Segment, cut_segments
from kerasr.data.corpora.transcripts import Entry, match_texts, read_table
from kerasr.data.manifest import Corpus, Utterance, split_called
from kerasr.errors import UserError

_RECORDINGS, _TEXTS, _SPEAKERS, _SEGMENTS = "wav.scp", "text", "utt2spk", "segments"


def is_kaldi(path: str) -> bool:
    """Whether `path` is a data directory with recordings and texts, or holds one that is called as a split is."""
    return bool(_directories(path))


def read_kaldi(path: str) -> Corpus:
    """The corpus in a data directory, or in those of a split.

    Args:
        path: the directory, or the folder that holds the split's.

    Returns:
        The utterances; segments are cut out of their recordings into the cache. Texts without a recording, recordings
        or segments without a text, and segments beyond a recording's end are among the `bad`.

    Raises:
        UserError: `wav.scp` has a command (`recording-is-command`); a list is no UTF-8 text, has a name twice, or names
            what another lacks; the cache cannot be written.
    """
    root = os.path.abspath(path)
    utterances: dict[str, Utterance] = {}
    segments: dict[str, Segment] = {}
    bad: list[tuple[str, str]] = []
    splits = _directories(root)
    for name, folder in splits.items():
        found, cuts, alone = _read_directory(folder)
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
    )


def _directories(path: str) -> dict[str, str]:
    """The data directories by the name of their split, which is "" where `path` is one itself."""
    folders = {"": path} | {name: os.path.join(path, name) for name in sorted(os.listdir(path)) if split_called(name)}
    held = {
        name: folder
        for name, folder in folders.items()
        if all(os.path.isfile(os.path.join(folder, one)) for one in (_RECORDINGS, _TEXTS))
    }
    return {"": path} if "" in held else held


def _read_directory(folder: str) -> tuple[dict[str, Utterance], dict[str, Segment], list[tuple[str, str]]]:
    """Utterances of a directory by name, the segments among them, and what is bad."""
    listed = {name: _place(folder, entry) for name, entry in read_table(os.path.join(folder, _RECORDINGS)).items()}
    cuts = {name: _segment(entry, listed) for name, entry in _optional(folder, _SEGMENTS).items()}
    places = {name: cut.recording for name, cut in cuts.items()} if cuts else listed
    found, bad = match_texts(read_table(os.path.join(folder, _TEXTS)), places)
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
            f"{where}: {path[:60]!r} is a command, and kerasr runs none: convert the recordings to files (WAV, FLAC, "
            f"SPHERE, ...), by this command for one, and list those in {_RECORDINGS}",
        )
    above = [folder, os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))]
    places = [os.path.normpath(os.path.join(one, path)) for one in above]
    return next((place for place in places if os.path.isfile(place)), places[0])


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
