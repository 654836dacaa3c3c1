"""From what the user typed to a corpus whose every recording has been looked at."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

# (The known corpora register on being imported: before anybody's who takes `register_corpus` from here.)
from kerasr.data.corpora import (  # noqa: F401
    an4,
    common_voice,
    flite,
    fsdd,
    grid,
    librispeech,
    read_aloud,
    speech_commands,
    synthetic,
    texts,
)
from kerasr.data.corpora.folder import read_folder
from kerasr.data.corpora.kaldi import FEATURES_OPTION, is_kaldi, read_kaldi
from kerasr.data.corpora.registry import CORPORA, register_corpus  # noqa: F401
from kerasr.data.corpora.speakers import match_speakers
from kerasr.data.corpora.user_cache import cache_folder, mark_used, writable_cache
from kerasr.data.manifest import SUFFIXES as MANIFEST_SUFFIXES
from kerasr.data.manifest import Corpus, check_recordings, read_manifest
from kerasr.data.spoken_text import add_phonemes
from kerasr.errors import UserError
from kerasr.text.numbers import spell_numbers


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
    numbers: str | None = None,
    phonemes: str | None = None,
    flite_clips: int = 0,
    speak: Callable[[Mapping[str, str]], Corpus] | None = None,
) -> Corpus:
    """The corpus that `data` names, each recording checked by its header.

    Args:
        data: a folder of word folders, a copy of a known corpus (recognised by its layout), a folder of digits named as
            FSDD's are, a CSV or JSONL manifest, the name of a known corpus, `synthetic:yes,no`, or `flite:ljspeech`,
            texts that are read aloud (`kerasr.data.corpora.read_aloud`). None for `default`. Behind the name or the
            copy of a corpus that has tasks may stand which of them is meant, as in `speech_commands:12`; behind a Kaldi
            directory `features`, for its `feats.scp` beside a `wav.scp`.
        default: name of the known corpus to take where `data` is None, or is a folder that holds a copy of it.
        max_bad: bad recordings that are listed and left out; one more is an error.
        speaker_pattern: who speaks, as `match_speakers` finds it; None for what the corpus or its file names tell.
        seed: draws the voices of a synthetic corpus; others do not change with it.
        min_labels: fewer labels than this are an error, and so is a recording without one; 0 allows a corpus of texts,
            which may stand beside the recordings, as `1.txt` beside `1.wav`, or in a Kaldi data directory.
        language: of a synthetic corpus.
        clips_per_word: of a synthetic corpus.
        numbers: language to say the numbers of its texts in (`spell_numbers`); None leaves them as they are.
        phonemes: language to say its texts in (`add_phonemes`); None leaves them as they are.
        flite_clips: sentences of texts that are read aloud; all where 0.
        speak: says the words of a synthetic corpus in espeak-ng's place: from what to say for each label to a corpus.

    A known corpus is looked for in the folder `KERASR_DATA` (a copy, or a folder of copies), then in the user's cache
    (`KERASR_CACHE` moves it), then downloaded into it.

    Raises:
        UserError: the known corpus is not on this machine and cannot be downloaded (`corpus-unavailable`), or `data`
            names nothing, has too few labels or too many bad recordings, the pattern finds no speaker, or
            nobody knows how numbers, or texts, are said in the language.
    """
    if data is not None and data.startswith(synthetic.PREFIX):
        words = synthetic.parse_words(data)
        corpus = (
            speak(words)
            if speak
            else synthetic.read_synthetic(
                words, writable_cache(), language=language, seed=seed, clips_per_word=clips_per_word
            )
        )
    elif data is not None and read_aloud.is_read_aloud(data):
        corpus = read_aloud.read_aloud(data, writable_cache(), seed=seed, clips=flite_clips)
    elif not min_labels and data is not None and os.path.isdir(data) and texts.has_texts(data):
        corpus = texts.read_texts(data)
    else:
        corpus = _read(data, default, speaker_pattern)
    if speaker_pattern is not None:
        corpus = match_speakers(corpus, speaker_pattern)
    if numbers is not None:
        corpus = _spell_numbers(corpus, numbers)
    if phonemes is not None:
        corpus = add_phonemes(corpus, phonemes)
    corpus = check_recordings(corpus, max_bad)
    if min_labels:
        _check_labels(corpus, min_labels)
    return corpus


def _spell_numbers(corpus: Corpus, language: str) -> Corpus:
    """The corpus with the numbers of its texts as words."""
    utterances = (
        item if item.text is None else replace(item, text=spell_numbers(item.text, language))
        for item in corpus.utterances
    )
    return replace(corpus, utterances=tuple(utterances))


def check_corpus_name(data: str | None) -> None:
    """Raise where `data` names nothing that `load_corpus` could read, before anything is loaded for it.

    Raises:
        UserError: there is no such folder, manifest or known corpus.
    """
    if data is None or data.startswith(synthetic.PREFIX):
        return
    if read_aloud.is_read_aloud(data):
        read_aloud.check_texts(data)
        return
    if not any(os.path.exists(name) or name in CORPORA for name in (data, data.rpartition(":")[0])):
        raise _no_such_corpus(data)


def speak_training_clips(
    corpus: Corpus,
    words: str | None = None,
    *,
    language: str = synthetic.LANGUAGE,
    espeak_clips: int = 0,
    flite_clips: int = 0,
    speak: Callable[[Mapping[str, str]], Corpus] | None = None,
    seed: int = 0,
) -> Corpus:
    """The corpus's words in synthetic voices, all of them training clips, to train on beside its own.

    Args:
        corpus: its labels are spoken; those that begin with an underscore, as `_silence_` does, are no words.
        words: speak only these labels, and how (`stop=[[st'0p]],go`).
        language: code of a language that espeak-ng speaks.
        espeak_clips: clips of each word by espeak-ng; none for 0.
        flite_clips: clips of each word by flite, which speaks English alone; none for 0.
        speak: says the words in other voices yet: from what to say for each label to a corpus.
        seed: draws the voices.

    Returns:
        A corpus whose speakers are called `espeak:` and the voice's variant, or `flite:` and the voice; or as `speak`
        calls them.

    Raises:
        UserError: a word is not one of the corpus's, or cannot be spoken.
    """
    labels = {label: synthetic.spoken_form(label) for label in corpus.labels if not label.startswith("_")}
    spoken = labels if words is None else synthetic.parse_words(words)
    if unknown := sorted(set(spoken) - set(corpus.labels)):
        raise UserError(
            "word-not-found", f"--words {unknown[0]}: {corpus.name} has no such word; it has {', '.join(corpus.labels)}"
        )
    cache = writable_cache()
    made = []
    if espeak_clips:
        voices = synthetic.read_synthetic(spoken, cache, language=language, seed=seed, clips_per_word=espeak_clips)
        utterances = (replace(item, speaker=f"espeak:{item.speaker}") for item in voices.utterances)
        made.append(replace(voices, utterances=tuple(utterances)))
    if flite_clips:
        flite.check_flite(language, flite_clips)
        texts = {label: synthetic.choices(text) for label, text in spoken.items()}
        made.append(flite.read_flite(texts, cache, seed=seed, clips_per_word=flite_clips))
    if speak is not None:
        made.append(speak(spoken))
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
    return _fetch(name, folder, "")


def _check_labels(corpus: Corpus, min_labels: int) -> None:
    """Raise where a word model has too few words to choose from."""
    without = next((item for item in corpus.utterances if item.label is None), None)
    if without is not None:
        why = f"{without.path} has no label, and a word model needs one for each recording"
        way_out = "" if without.text is None else "; it has a text: train with --task transcribe"
        raise UserError("label-missing", f"{corpus.source}: {why}{way_out}")
    if len(corpus.labels) < min_labels:
        raise UserError(
            "too-few-labels",
            f"{corpus.source}: has only the label {corpus.labels[0]!r}, and a word model needs at least {min_labels}; "
            "add a folder of recordings of other words",
        )


def _read(data: str | None, default: str | None, speaker_pattern: str | None = None) -> Corpus:
    if data is None:
        if default is None:
            raise UserError(
                "setting-missing",
                "no recordings are named: give --data with a folder, a manifest or a known corpus, or --words to have "
                "some spoken",
            )
        name, _, option = default.partition(":")
        return _read_known(name, option) if name in CORPORA else _read(default, None, speaker_pattern)
    place, _, option = data.rpartition(":")
    if not os.path.exists(data) and (place in CORPORA or os.path.exists(place)):
        return _read_place(place, option)
    return _read_place(data, "", default, speaker_pattern)


def _read_place(data: str, option: str, default: str | None = None, speaker_pattern: str | None = None) -> Corpus:
    """The corpus in a folder or a manifest, or of a name, with what stood behind a colon."""
    if data in CORPORA and not os.path.exists(data):
        return _read_known(data, option)
    if os.path.isdir(data):
        try:
            return _read_layout(data, option, default, speaker_pattern)
        except PermissionError as error:
            raise UserError(
                "folder-unreadable", f"{error.filename}: cannot be listed ({error.strerror}); check its permissions"
            ) from error
    if os.path.isfile(data):
        if data.lower().endswith(MANIFEST_SUFFIXES):
            _refuse(option, data)
            return read_manifest(data)
        raise UserError("corpus-not-found", f"{data}: is neither a folder nor a manifest (.csv, .jsonl)")
    raise _no_such_corpus(data)


def _no_such_corpus(data: str) -> UserError:
    known = ", ".join([*CORPORA, f"{synthetic.PREFIX}yes,no", f"{read_aloud.PREFIX}ljspeech"])
    return UserError(
        "corpus-not-found", f"{data}: there is no such folder or manifest, nor a known corpus of this name ({known})"
    )


def _read_layout(path: str, option: str, default: str | None, speaker_pattern: str | None) -> Corpus:
    """The corpus in a folder, recognised by its layout."""
    for known in CORPORA.values():
        if known.recognise and known.recognise(path):
            return known.read(path, option)
    wanted = CORPORA.get((default or "").partition(":")[0])
    if wanted is not None and wanted.recognise:
        inside = os.path.join(path, wanted.folder)
        if os.path.isdir(inside) and wanted.recognise(inside):
            return wanted.read(inside)
    if is_kaldi(path) and option in ("", FEATURES_OPTION):
        return read_kaldi(path, option)
    _refuse(option, path)
    return read_folder(path, speaker_pattern) if fsdd.find_recordings(path) is None else fsdd.read_digits(path)


def _read_known(name: str, option: str) -> Corpus:
    """A known corpus from where it is on this machine, else from where it is published."""
    place = CORPORA[name].find_copy()
    if place is None:
        return _fetch(name, None, option)
    mark_used([place])
    return CORPORA[name].read(place, option)


def _fetch(name: str, folder: str | None, option: str) -> Corpus:
    known = CORPORA[name]
    if known.download is None:
        raise UserError(
            "corpus-unavailable",
            f"{name}: there is no folder {known.folder} in KERASR_DATA ({os.environ.get('KERASR_DATA', 'not set')}) or "
            f"in {cache_folder()}, and it cannot be downloaded: put a copy there",
        )
    place = folder or os.path.join(writable_cache(), known.folder)
    known.download(place)
    mark_used([place])
    return known.read(place, option)


def _refuse(option: str, place: str) -> None:
    """Raise where something behind a colon is to choose a part of what has none."""
    if option:
        raise UserError(
            "corpus-task-not-found", f"{place}: `:{option}` names a task, and no known corpus that has some is there"
        )
