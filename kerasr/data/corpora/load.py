"""From what the user typed to a corpus whose every recording has been looked at."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import platformdirs

from kerasr.data.corpora import flite, fsdd, speech_commands, synthetic
from kerasr.data.corpora.folder import read_folder
from kerasr.data.corpora.speakers import match_speakers
from kerasr.data.manifest import SUFFIXES as MANIFEST_SUFFIXES
from kerasr.data.manifest import Corpus, check_recordings, read_manifest
from kerasr.errors import UserError


@dataclass(frozen=True)
class Known:
    """A published corpus: the name of its folder, and how that is recognised, read and downloaded."""

    folder: str
    recognise: Callable[[str], bool]
    read: Callable[[str], Corpus]
    download: Callable[[str], None]


CORPORA: dict[str, Known] = {
    fsdd.NAME: Known(fsdd.FOLDER, fsdd.is_fsdd, fsdd.read_fsdd, fsdd.download_fsdd),
    speech_commands.NAME: Known(
        speech_commands.FOLDER,
        speech_commands.is_speech_commands,
        speech_commands.read_speech_commands,
        speech_commands.download_speech_commands,
    ),
}


def load_corpus(
    data: str | None,
    *,
    default: str | None = None,
    max_bad: int = 10,
    speaker_pattern: str | None = None,
    seed: int = 0,
    min_labels: int = 2,
    language: str = synthetic.LANGUAGE,
    clips_per_word: int = synthetic.CLIPS_PER_WORD,
) -> Corpus:
    """The corpus that `data` names, each recording checked by its header.

    Args:
        data: a folder of word folders, a copy of a known corpus (recognised by its layout), a folder of digits named as
            FSDD's are, a CSV or JSONL manifest, the name of a known corpus, or `synthetic:yes,no`. None for `default`.
            Behind the name or the copy of Speech Commands may stand which of its tasks is meant, as in
            `speech_commands:12`.
        default: name of the known corpus to take where `data` is None, or is a folder that holds a copy of it.
        max_bad: bad recordings that are listed and left out; one more is an error.
        speaker_pattern: who speaks, as `match_speakers` finds it; None for what the corpus or its file names tell.
        seed: draws the voices of a synthetic corpus; others do not change with it.
        min_labels: fewer labels than this are an error, and so is a recording without one; 0 allows a corpus of texts.
        language: of a synthetic corpus.
        clips_per_word: of a synthetic corpus.

    A known corpus is looked for in the folder `KERASR_DATA` (a copy, or a folder of copies), then in the user's cache
    (`KERASR_CACHE` moves it), then downloaded into it.

    Raises:
        UserError: the known corpus is not on this machine and cannot be downloaded (`corpus-unavailable`), or `data`
            names nothing, has too few labels or too many bad recordings, or the pattern finds no speaker.
    """
    if data is not None and data.startswith(synthetic.PREFIX):
        words = synthetic.parse_words(data)
        corpus = synthetic.read_synthetic(
            words, _writable_cache(), language=language, seed=seed, clips_per_word=clips_per_word
        )
    else:
        corpus = _read(data, default)
    if speaker_pattern is not None:
        corpus = match_speakers(corpus, speaker_pattern)
    corpus = check_recordings(corpus, max_bad)
    if min_labels:
        _check_labels(corpus, min_labels)
    return corpus


def speak_training_clips(
    corpus: Corpus,
    words: str | None = None,
    *,
    language: str = synthetic.LANGUAGE,
    espeak_clips: int = 0,
    flite_clips: int = 0,
    seed: int = 0,
) -> Corpus:
    """The corpus's words in synthetic voices, all of them training clips, to train on beside its own.

    Args:
        corpus: its labels are spoken; those that begin with an underscore, as `_silence_` does, are no words.
        words: speak only these labels, and how (`stop=[[st'0p]],go`).
        language: code of a language that espeak-ng speaks.
        espeak_clips: clips of each word by espeak-ng; none for 0.
        flite_clips: clips of each word by flite, which speaks English alone; none for 0.
        seed: draws the voices.

    Returns:
        A corpus whose speakers are called `espeak:` and the voice's variant, or `flite:` and the voice.

    Raises:
        UserError: a word is not one of the corpus's, or cannot be spoken.
    """
    labels = {label: synthetic.spoken_form(label) for label in corpus.labels if not label.startswith("_")}
    spoken = labels if words is None else synthetic.parse_words(words)
    if unknown := sorted(set(spoken) - set(corpus.labels)):
        raise UserError(
            "word-not-found", f"--words {unknown[0]}: {corpus.name} has no such word; it has {', '.join(corpus.labels)}"
        )
    cache = _writable_cache()
    made = []
    if espeak_clips:
        voices = synthetic.read_synthetic(spoken, cache, language=language, seed=seed, clips_per_word=espeak_clips)
        utterances = (replace(item, speaker=f"espeak:{item.speaker}") for item in voices.utterances)
        made.append(replace(voices, utterances=tuple(utterances)))
    if flite_clips:
        flite.check_flite(language, flite_clips)
        texts = {label: synthetic.choices(text) for label, text in spoken.items()}
        made.append(flite.read_flite(texts, cache, seed=seed, clips_per_word=flite_clips))
    return replace(
        made[0],
        utterances=tuple(replace(item, split="train") for part in made for item in part.utterances),
        licence="; ".join(part.licence for part in made),
        source="; ".join(part.source for part in made),
    )


def fetch_corpus(name: str, folder: str | None = None) -> Corpus:
    """The known corpus called `name`, downloaded into `folder` unless it is there; None is its place in the cache.

    Raises:
        UserError: it cannot be downloaded (`corpus-unavailable`), or what came is not the published corpus, or the
            cache cannot be written.
    """
    known = CORPORA[name]
    place = folder or os.path.join(_writable_cache(), known.folder)
    known.download(place)
    return known.read(place)


def cache_folder() -> str:
    """Where downloads and synthetic voices are kept: `KERASR_CACHE`, else the user's cache folder."""
    return os.path.abspath(os.environ.get("KERASR_CACHE") or platformdirs.user_cache_dir("kerasr"))


def _writable_cache() -> str:
    """The cache's folder, which exists and may be written."""
    folder = cache_folder()
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(
            "cache-unavailable",
            f"{folder}: the cache cannot be made ({error.strerror}); name another with KERASR_CACHE",
        ) from error
    if not os.access(folder, os.W_OK):
        raise UserError("cache-unavailable", f"{folder}: the cache may not be written; name another with KERASR_CACHE")
    return folder


def _check_labels(corpus: Corpus, min_labels: int) -> None:
    """Raise where a word model has too few words to choose from."""
    without = next((item.path for item in corpus.utterances if item.label is None), None)
    if without is not None:
        raise UserError(
            "label-missing", f"{corpus.source}: {without} has no label, and a word model needs one for each recording"
        )
    if len(corpus.labels) < min_labels:
        raise UserError(
            "too-few-labels",
            f"{corpus.source}: has only the label {corpus.labels[0]!r}, and a word model needs at least {min_labels}; "
            "add a folder of recordings of other words",
        )


def _read(data: str | None, default: str | None) -> Corpus:
    if data is None:
        if default is None:
            raise UserError(
                "setting-missing",
                "no recordings are named: give --data with a folder, a manifest or a known corpus, or --words to have "
                "some spoken",
            )
        name, _, task = default.partition(":")
        return _take_task(_read_known(name), task)
    place, _, task = data.rpartition(":")
    if (task in speech_commands.TASKS or place in CORPORA) and not os.path.exists(data):
        return _take_task(_read(place, None), task)
    if data in CORPORA and not os.path.exists(data):
        return _read_known(data)
    if os.path.isdir(data):
        try:
            return _read_layout(data, default)
        except PermissionError as error:
            raise UserError(
                "folder-unreadable", f"{error.filename}: cannot be listed ({error.strerror}); check its permissions"
            ) from error
    if os.path.isfile(data):
        if data.lower().endswith(MANIFEST_SUFFIXES):
            return read_manifest(data)
        raise UserError("corpus-not-found", f"{data}: is neither a folder nor a manifest (.csv, .jsonl)")
    known = ", ".join([*CORPORA, f"{synthetic.PREFIX}yes,no"])
    raise UserError(
        "corpus-not-found", f"{data}: there is no such folder or manifest, nor a known corpus of this name ({known})"
    )


def _take_task(corpus: Corpus, task: str) -> Corpus:
    """The corpus, or the one of its tasks that is named."""
    if not task:
        return corpus
    if corpus.name != speech_commands.NAME:
        raise UserError(
            "corpus-task-not-found",
            f"{corpus.source}: `:{task}` names a task, and only {speech_commands.NAME} has some",
        )
    return speech_commands.select_task(corpus, task, _writable_cache())


def _read_layout(path: str, default: str | None) -> Corpus:
    """The corpus in a folder, recognised by its layout."""
    for known in CORPORA.values():
        if known.recognise(path):
            return known.read(path)
    default = default and default.partition(":")[0]
    if default is not None:
        inside = os.path.join(path, CORPORA[default].folder)
        if os.path.isdir(inside) and CORPORA[default].recognise(inside):
            return CORPORA[default].read(inside)
    return read_folder(path) if fsdd.find_recordings(path) is None else fsdd.read_digits(path)


def _read_known(name: str) -> Corpus:
    """A known corpus from where it is on this machine, else from where it is published."""
    known = CORPORA[name]
    shared = os.environ.get("KERASR_DATA")
    cached = os.path.join(cache_folder(), known.folder)
    places = [os.path.join(shared, known.folder), shared, cached] if shared else [cached]
    for place in places:
        if os.path.isdir(place) and known.recognise(place):
            return known.read(place)
    return fetch_corpus(name)
