"""CMU AN4: 948 and 130 utterances of letters, digits and commands, 16 kHz, by 74 and 10 speakers.

As published: `etc/an4_{train,test}.{fileids,transcription}`, and recordings in `wav/`, headerless big-endian `.raw` or
NIST `.sph`. Nothing else reads a file without a header, so `.raw` is kept as WAV in the cache.

The official test is its own. Of the training part, the speakers with sha1(name) % 15 == 1 are the validation, and in a
copy without the test part those with 0 are the test.
"""

import hashlib
import os
import re
from collections.abc import Iterator

import soundfile

from kerasr import audio
from kerasr.core import atomic
from kerasr.core.progress import map_threaded
from kerasr.data.corpora.download import install_archive
from kerasr.data.corpora.registry import register_corpus
from kerasr.data.corpora.transcripts import read_lines
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
        The utterances, with text as published; what the lists name and is not there is among the `bad`.

    Raises:
        UserError: a list cannot be read, has a line of another form, or names an utterance that the other lacks.
    """
    parts = [part for part in ("train", "test") if os.path.isfile(_list(path, part, "fileids"))]
    listed = [(part, fileid, text) for part in parts for fileid, text in _read_lists(path, part)]
    found, bad = {}, []
    for _, fileid, _ in listed:
        place = os.path.join(path, "wav", *fileid.split("/"))
        there = [f"{place}{suffix}" for suffix in (".raw", ".sph") if os.path.isfile(f"{place}{suffix}")]
        if not there:
            bad.append((f"{place}.raw", "is listed, and there is no such file (nor .sph)"))
        elif there[0].endswith(".raw") and os.path.getsize(there[0]) < 2:
            bad.append((there[0], "has no samples"))
        else:
            found[fileid] = there[0]
    raw = {fileid: place for fileid, place in found.items() if place.endswith(".raw")}
    made = _with_headers(raw)
    places = found | made
    utterances = [_utterance(places[item[1]], *item, parts) for item in listed if item[1] in places]
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


def _utterance(path: str, part: str, fileid: str, text: str, parts: list[str]) -> Utterance:
    speaker = _speaker(fileid)
    return Utterance(path, text=text, speaker=speaker, split=_split(part, speaker, parts))


def _list(path: str, part: str, kind: str) -> str:
    return os.path.join(path, "etc", f"an4_{part}.{kind}")


def _check(folder: str) -> None:
    if not is_an4(folder):
        raise UserError("download-damaged", f"{folder}: what came has no etc/an4_train.fileids: it is not {NAME}")


def _read_lists(path: str, part: str) -> Iterator[tuple[str, str]]:
    """Each utterance's file, without its suffix, and its text."""
    texts: dict[str, str] = {}
    transcription = _list(path, part, "transcription")
    for number, line in read_lines(transcription):
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError("corpus-damaged", f"{transcription}:{number}: {line!r} is not `<s> WORDS </s> (id)`")
        texts[match[2]] = match[1]
    fileids = _list(path, part, "fileids")
    for number, line in read_lines(fileids):
        name = line.rpartition("/")[2]
        if ".." in line.split("/") or os.path.isabs(line):
            raise UserError("corpus-damaged", f"{fileids}:{number}: {line} leads out of the corpus")
        if name not in texts:
            raise UserError("corpus-damaged", f"{fileids}:{number}: {name} has no line in {transcription}")
        yield line, texts[name]


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
