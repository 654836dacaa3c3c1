"""CMU AN4: 948 and 130 utterances of letters, digits and commands, 16 kHz, by 74 and 10 speakers.

As published: `etc/an4_{train,test}.{fileids,transcription}`, and recordings in `wav/`, headerless big-endian `.raw` or
NIST `.sph`. Nothing else reads a file without a header, so `.raw` is kept as WAV in the cache.

The official test is its own. Of the training part, the speakers with sha1(name) % 15 == 1 are the validation, and in a
copy without the test part those with 0 are the test.
"""

import hashlib
import os
import re
from dataclasses import replace

import soundfile

from kerasr import audio
from kerasr.core import atomic
from kerasr.core.progress import map_threaded
from kerasr.data.corpora.download import install_archive
from kerasr.data.corpora.registry import register_corpus
from kerasr.data.corpora.transcripts import Entry, match_texts, read_lines, walk_folders
from kerasr.data.corpora.user_cache import made_folder, mark_used, writable_cache
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError

NAME = "an4"
LICENCE = "CMU, free for any purpose"
SAMPLE_RATE = 16000
OFFICIAL = "the test part is the test; speakers with sha1(name) % 15 == 1 are the validation (our choice)"
NO_TEST = (
    "this copy has no test part: speakers with sha1(name) % 15 == 0 are the test, those with 1 the validation (our "
    "choice)"
)

_ARCHIVE = "http://www.speech.cs.cmu.edu/databases/an4/an4_raw.bigendian.tar.gz"
_LINE = re.compile(r"(?:<s>\s*)?(.*?)\s*(?:</s>\s*)?\(([^()]+)\)")
_VERSION = 1
_SUFFIXES = (".raw", ".sph")
# Where each part's recordings lie, below `wav`.
_FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}


def is_an4(path: str) -> bool:
    """Whether `path` is a copy of the corpus: it has the lists of the training part."""
    return all(os.path.isfile(_list(path, "train", kind)) for kind in ("fileids", "transcription"))


def download_an4(folder: str, url: str = _ARCHIVE) -> None:
    """Make `folder` a copy of the corpus as published; nothing happens where it exists.

    Args:
        folder: what to make.
        url: of the archive.

    Raises:
        UserError: there is no network, or what came is not the corpus.
    """
    install_archive(url, folder, check=_check)


@register_corpus(NAME, recognise=is_an4, download=download_an4)
def read_an4(path: str) -> Corpus:
    """The corpus in `path`.

    Args:
        path: the folder that holds `etc` and `wav`.

    Returns:
        The utterances, with text as published. What the lists name and is not there, what one of them names and the
        other does not, recordings that none names, and texts without a word are among the `bad`.

    Raises:
        UserError: a list cannot be read, or has a line of another form.
    """
    parts = [part for part in ("train", "test") if os.path.isfile(_list(path, part, "fileids"))]
    found: dict[str, tuple[str, Utterance]] = {}
    bad: list[tuple[str, str]] = []
    for part in parts:
        utterances, alone = _read_part(path, part)
        found |= {fileid: (part, item) for fileid, item in utterances.items()}
        bad += alone
    made = _with_headers({fileid: item.path for fileid, (_, item) in found.items() if item.path.endswith(".raw")})
    utterances = [
        _utterance(replace(item, path=made.get(fileid, item.path)), part, fileid, parts)
        for fileid, (part, item) in found.items()
    ]
    return Corpus(
        NAME,
        tuple(utterances),
        licence=LICENCE,
        source=path,
        root=path,
        official_split=OFFICIAL if "test" in parts else NO_TEST,
        bad=tuple(bad),
        made=os.path.commonpath(made.values()) if made else "",
    )


def _utterance(item: Utterance, part: str, fileid: str, parts: list[str]) -> Utterance:
    speaker = _speaker(fileid)
    return replace(item, speaker=speaker, split=_split(part, speaker, parts))


def _list(path: str, part: str, kind: str) -> str:
    return os.path.join(path, "etc", f"an4_{part}.{kind}")


def _check(folder: str) -> None:
    if not is_an4(folder):
        raise UserError("download-damaged", f"{folder}: what came has no etc/an4_train.fileids: it is not {NAME}")


def _read_part(path: str, part: str) -> tuple[dict[str, Utterance], list[tuple[str, str]]]:
    """The utterances of a part by their files, without suffix, and what is bad."""
    list_of_files, list_of_texts = (_list(path, part, kind) for kind in ("fileids", "transcription"))
    fileids, lines = _read_fileids(list_of_files), _read_texts(list_of_texts)
    recordings, bad = {}, []
    for fileid, where in fileids.items():
        place = os.path.join(path, "wav", *fileid.split("/"))
        there = [f"{place}{suffix}" for suffix in _SUFFIXES if os.path.isfile(f"{place}{suffix}")]
        if _name(fileid) not in lines:
            bad.append((where, f"{_name(fileid)} has no line in {list_of_texts}"))
        elif not there:
            bad.append((f"{place}.raw", "is listed, and there is no such file (nor .sph)"))
        elif there[0].endswith(".raw") and os.path.getsize(there[0]) < 2:
            bad.append((there[0], "has no samples"))
        else:
            recordings[fileid] = there[0]
    found, wordless = match_texts({fileid: lines[_name(fileid)] for fileid in recordings}, recordings)
    unlisted = {fileid: place for fileid, place in _recordings_in(path, part).items() if fileid not in fileids}
    bad += [(place, f"is not in {list_of_files}") for place in unlisted.values()]
    named = {_name(fileid) for fileid in (*fileids, *unlisted)}
    bad += [(entry.where, f"{name} is not in {list_of_files}") for name, entry in lines.items() if name not in named]
    return found, bad + wordless


def _recordings_in(path: str, part: str) -> dict[str, str]:
    """Paths of the recordings in a part's folder by their files, without suffix."""
    folder = os.path.abspath(os.path.join(path, "wav"))
    return {
        os.path.relpath(os.path.join(inside, stem), folder).replace(os.sep, "/"): os.path.join(inside, name)
        for inside, names in walk_folders(os.path.join(folder, _FOLDERS[part]))
        for name in names
        for stem, suffix in [os.path.splitext(name)]
        if suffix in _SUFFIXES
    }


def _read_texts(transcription: str) -> dict[str, Entry]:
    """Each utterance's text by its name."""
    texts = {}
    for number, line in read_lines(transcription):
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError("corpus-damaged", f"{transcription}:{number}: {line!r} is not `<s> WORDS </s> (id)`")
        texts[match[2]] = Entry(match[1], f"{transcription}:{number}")
    return texts


def _read_fileids(fileids: str) -> dict[str, str]:
    """Each utterance's file, without its suffix, and the line that names it."""
    lines = {}
    for number, line in read_lines(fileids):
        if ".." in line.split("/") or os.path.isabs(line):
            raise UserError("corpus-damaged", f"{fileids}:{number}: {line} leads out of the corpus")
        lines[line] = f"{fileids}:{number}"
    return lines


def _name(fileid: str) -> str:
    """As transcriptions have it: without folders."""
    return fileid.rpartition("/")[2]


def _speaker(fileid: str) -> str:
    """`an4_clstk/fash/an251-fash-b` is of fash."""
    return fileid.split("/")[-2] if "/" in fileid else fileid.split("-")[1]


def _split(part: str, speaker: str, parts: list[str]) -> str:
    place = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % 15
    if part == "test" or (place == 0 and "test" not in parts):
        return "test"
    return "validation" if place == 1 else "train"


def _with_headers(raw: dict[str, str]) -> dict[str, str]:
    """Headerless recordings as WAV files of the cache, by the same keys; written on the first call."""
    if not raw:
        return {}
    facts = [(fileid, os.path.getsize(place)) for fileid, place in sorted(raw.items())]
    folder = made_folder(writable_cache(), NAME, [_VERSION, facts])
    names = {fileid: f"{fileid.replace('/', '-')}.wav" for fileid in raw}

    def convert(fileid: str, beside: str) -> None:
        with soundfile.SoundFile(
            raw[fileid], samplerate=SAMPLE_RATE, channels=1, format="RAW", subtype="PCM_16", endian="BIG"
        ) as file:
            audio.write(os.path.join(beside, names[fileid]), file.read(dtype="float32"), SAMPLE_RATE)

    if not os.path.isdir(folder):
        with atomic.new_folder(folder) as beside:
            for _ in map_threaded(lambda fileid: convert(fileid, beside), list(raw), "Reading AN4"):
                pass
    mark_used([folder])
    return {fileid: os.path.join(folder, name) for fileid, name in names.items()}
