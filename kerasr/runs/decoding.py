"""A run's decoder: the language model and the words that settings name, or that its training texts make."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from kerasr.config.decoding import TRAINING, DecodingConfig
from kerasr.core.progress import console
from kerasr.data.manifest import Utterance
from kerasr.data.spoken_text import text_of
from kerasr.decoding.beam import BeamDecoder, BeamOptions
from kerasr.decoding.kneser_ney import estimate_ngrams
from kerasr.decoding.ngram import NGrams, read_arpa
from kerasr.errors import UserError
from kerasr.metrics.calibration import PlattScaling
from kerasr.presets import LANGUAGE_MODEL
from kerasr.tasks import Recognition, Task
from kerasr.tasks.transcribe import Transcribe
from kerasr.tasks.transcript_checks import list_tokens
from kerasr.text import Vocabulary, normalise
from kerasr.text.vocabulary import WORDS

BEAM, ORDER = 32, 3


class Transcribing(Protocol):
    """What is seen of a run (`kerasr.runs.Run`)."""

    path: Any
    task: Task
    facts: dict[str, Any]

    @property
    def recognition(self) -> Recognition:
        """How outputs are read."""
        ...

    def utterances(self, split: str) -> Sequence[Utterance]:
        """The recordings of a split."""
        ...


def use_decoder(run: Transcribing, config: DecodingConfig) -> None:
    """Let a run find its transcripts so; errors as of `make_decoder`."""
    decoder = make_decoder(run, config)
    chosen = _chosen(run, config)
    if isinstance(run.task, Recognition):
        run.task.calibration = read_calibration(chosen) or read_calibration(run.facts)
    if isinstance(run.task, Transcribe):
        run.task.decoder = decoder
        run.task.decoding = {}
        if decoder is not None:
            named = {"lm": config.lm, "words": config.words, "hot_words": sorted(decoder.hot_words)}
            named |= asdict(decoder.options)
            run.task.decoding = {**named, "grid": chosen.get("grid")}
        if config.tta_speeds != DecodingConfig.tta_speeds:
            run.task.decoding = {**run.task.decoding, "tta_speeds": list(config.tta_speeds)}


def read_calibration(facts: Mapping[str, Any]) -> PlattScaling | None:
    """The calibration of words' confidences that a run has for greedy decoding, or for a decoder that was tuned."""
    found = facts.get("calibration")
    return PlattScaling(**found) if found else None


def make_decoder(run: Transcribing, config: DecodingConfig) -> BeamDecoder | None:
    """What finds a run's transcripts; None for greedy decoding.

    Args:
        run: of the task `transcribe`.
        config: the language model and so on. Weights that it leaves open are those that were chosen for the same
            language model and words, where there are some.

    Raises:
        UserError: the run gives no transcripts, a file is missing or damaged, or no word, or not each of the hot
            words, can be written in the run's tokens.
    """
    if not isinstance(run.task, Transcribe):
        if config == DecodingConfig():
            return None
        flags = "--lm, --words, --hot-words, --beam and --tta-speeds"
        raise UserError("task-unsupported", f"{flags} are for transcripts, and {_about(run)}")
    if config.is_greedy:
        return None
    chosen = _chosen(run, config)
    options = BeamOptions(
        beam=config.beam or BEAM,
        lm_weight=chosen.get("lm_weight", 1.0) if config.lm_weight is None else config.lm_weight,
        word_bonus=chosen.get("word_bonus", 1.0) if config.word_bonus is None else config.word_bonus,
        hot_word_bonus=config.hot_word_bonus,
    )
    vocabulary = run.task.vocabulary
    brought = _brought_model(run) if TRAINING in (config.lm, config.words) else None
    model, words = _read_model(run, config.lm, brought), _read_words(run, config.words, brought)
    named = words if words is not None else model.words if model else set()
    if named and not any(word for word in named if not vocabulary.unknown(word)):
        raise UserError(
            "language-model-differs",
            f"{config.words or config.lm}: has no word that can be written in the run's tokens, "
            f"{_writing(vocabulary)!r}: is it of another language, or in capitals?",
        )
    _warn_unwritable(f"--lm {config.lm}", model.words if model else set(), vocabulary)
    if words is not None:
        _warn_unwritable(f"--words {config.words}", words, vocabulary)
        words = {word for word in words if not vocabulary.unknown(word)}
    return BeamDecoder(vocabulary, model, words, options, _hot_words(config, vocabulary))


def training_texts(run: Transcribing) -> list[list[str]]:
    """The words of each training text.

    Raises:
        UserError: the run has none.
    """
    found = [text_of(item).split() for item in run.utterances("train")]
    if not any(found):
        raise UserError("text-missing", f"{run.path}: has no training texts: name a file in the place of `{TRAINING}`")
    return found


def _chosen(run: Transcribing, config: DecodingConfig) -> dict[str, Any]:
    """What `evaluate --tune-lm` has found for this language model and these words; nothing where it has not."""
    chosen = run.facts.get("decoding") or {}
    return chosen if (chosen.get("lm"), chosen.get("words")) == (config.lm, config.words) else {}


def _about(run: Transcribing) -> str:
    return f"{run.path} is to {run.task.about()}"


def _hot_words(config: DecodingConfig, vocabulary: Vocabulary) -> set[str]:
    """The hot words, each of several words apart; all can be written."""
    if config.hot_words is None:
        return set()
    words = {word for name in config.hot_words.split(",") for word in normalise(name).split()}
    if not words:
        raise UserError("setting-out-of-range", f"--hot-words {config.hot_words}: give words, with commas between them")
    for word in sorted(words):
        if unknown := vocabulary.unknown(word):
            raise UserError(
                "text-unwritable",
                f"--hot-words {word}: the run has no {', '.join(map(repr, unknown))}: write it as it is said, in "
                f"{_writing(vocabulary)!r}",
            )
    return words


def _warn_unwritable(flag: str, words: set[str], vocabulary: Vocabulary) -> None:
    """Say how many of the words can never be found."""
    if lost := sorted(word for word in words if vocabulary.unknown(word)):
        console().print(
            f"warning: {flag}: {len(lost):,} of its {len(words):,} words cannot be written in the run's tokens, and "
            f"are never found, as {list_tokens(lost)}",
            style="yellow",
        )


def _writing(vocabulary: Vocabulary) -> str:
    """What words are written in: the characters, or all words where there are no others."""
    tokens = vocabulary.tokens if vocabulary.kind == WORDS else sorted({*"".join(vocabulary.tokens)})
    return "".join(tokens).strip()


def _brought_model(run: Transcribing) -> NGrams | None:
    """The trigram of its training texts that a preset brings in their place; None of a run that has them."""
    path = run.path / LANGUAGE_MODEL
    return read_arpa(path) if path.exists() else None


def _read_model(run: Transcribing, name: str | None, brought: NGrams | None) -> NGrams | None:
    if name is None:
        return None
    if name != TRAINING:
        return read_arpa(name)
    return brought or estimate_ngrams(training_texts(run), ORDER)


def _read_words(run: Transcribing, name: str | None, brought: NGrams | None) -> set[str] | None:
    if name is None:
        return None
    if name == TRAINING:
        return brought.words if brought else {word for text in training_texts(run) for word in text}
    if not os.path.isfile(name):
        raise UserError("words-not-found", f"--words {name}: there is no such file; it has a word a line")
    try:
        with open(name, encoding="utf-8-sig") as file:
            words = {word for line in file for word in normalise(line).split()}
    except UnicodeDecodeError as error:
        raise UserError("words-damaged", f"--words {name}: is no UTF-8 text ({error})") from error
    if not words:
        raise UserError("words-damaged", f"--words {name}: has no word")
    return words
