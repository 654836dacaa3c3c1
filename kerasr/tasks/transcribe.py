"""What is said? A token or CTC's blank at each frame, and of these a text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import keras
import numpy as np

from kerasr.audio.features import Features
from kerasr.config import FitConfig, TaskConfig, TrainConfig
from kerasr.core.console import isolate
from kerasr.core.extras import require_extra
from kerasr.core.scores import Monitor, format_decoding, format_interval
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.spoken_text import text_of
from kerasr.data.targets import Targets
from kerasr.decoding.alignment import Alignment, Word, geometric_mean
from kerasr.decoding.beam import BeamDecoder
from kerasr.decoding.greedy import best_path, collapse
from kerasr.decoding.segments import Segmenter
from kerasr.decoding.subtitles import PAUSE
from kerasr.errors import UserError
from kerasr.layers.ctc import BLANK
from kerasr.metrics.calibration import PlattScaling, fit_platt
from kerasr.metrics.edit_distance import TokenErrorRate
from kerasr.metrics.judgement import Judgement
from kerasr.metrics.transcription import right_words, transcription_metrics, word_error_rate
from kerasr.tasks.auxiliary_loss import AuxiliaryLoss
from kerasr.tasks.base import OutputSpec
from kerasr.tasks.recognition import Answer, Columns, Example, Recognition
from kerasr.tasks.registry import register_task
from kerasr.tasks.trained import Trained
from kerasr.tasks.transcript_checks import (
    LONGEST_UTTERANCE,
    NUM_NAMED,
    check_texts,
    check_writable,
    learnable_transcripts,
    unwritable_facts,
    unwritable_note,
    usable_transcripts,
)
from kerasr.tasks.transcript_examples import worst_transcripts
from kerasr.tasks.transcript_losses import CTCLoss, attention_loss
from kerasr.text import Vocabulary
from kerasr.text.pieces import EXTRA
from kerasr.text.vocabulary import CHARACTERS, PIECES, WORDS

# What errors of tokens are called.
ERROR_RATES = {CHARACTERS: "cer", WORDS: "wer", PIECES: "ter"}
# What a run's facts call the scores of pieces.
SCORES = "piece_scores"
# Seconds after which a sound that goes on is cut, though there is no pause, where a word ends.
LONGEST_SEGMENT = 30.0


@dataclass(frozen=True, kw_only=True)
class Transcript(Answer):
    """What is said in it.

    Attributes:
        text: words with a space between them; "" where nothing is said.
        confidence: the geometric mean of the words' confidences; where nothing is said, the least probability of that
            in any frame.
        words: its words with their times, by forced alignment (`kerasr.decoding.alignment`), and confidences,
            calibrated where the run has a calibration.
    """

    text: str
    confidence: float
    words: tuple[Word, ...] = ()

    def placed(self, *, path: str | None, seconds: float, start: float, end: float) -> "Transcript":
        """The same transcript, of this part of this recording, whose seconds the words' times are then."""
        words = tuple(word.moved(start, end) for word in self.words)
        return replace(super().placed(path=path, seconds=seconds, start=start, end=end), words=words)


@register_task
class Transcribe(Recognition):
    """CTC over the transcripts' tokens, and in training, if asked for, a decoder with attention beside it.

    Args:
        labels: the tokens.
        config: the task's settings.
        scores: of pieces, one for each (`Vocabulary`).

    Attributes:
        vocabulary: the characters, words or pieces of words.
        longest: most seconds of a recording that is learnt from, or measured on.
        decoder: finds the texts; None for greedy decoding.
        decoding: what a report says of it: `lm`, `words`, `hot_words` and the `BeamOptions`, and where the weights were
            chosen by measuring, the `grid`; empty for greedy decoding.
    """

    name = "transcribe"
    min_labels = 0
    blends = False
    keeps_order = True
    has_words = True
    none = "no word"
    longest: ClassVar[float] = LONGEST_UTTERANCE

    def __init__(self, labels, config, scores=None):
        super().__init__(labels, config)
        self.vocabulary = Vocabulary(tuple(labels), scores)
        self.decoder: BeamDecoder | None = None
        self.decoding: Mapping[str, Any] = {}

    @classmethod
    def of_corpus(cls, corpus: Corpus, config: TaskConfig) -> "Transcribe":
        """The task of writing the transcripts to train on and to validate with, in their characters, words or pieces.

        Raises:
            UserError: a recording has no text, or there is no word in any; or of pieces, there are more characters than
                these, or SentencePiece is not installed.
        """
        why = "a transcript is learnt from audio beside text, in a manifest's column text"
        check_texts(corpus.utterances, corpus.source, why)
        texts = (text_of(item) for item in corpus.utterances if item.split != "test")
        vocabulary = Vocabulary.of(texts, config.vocabulary, size=config.vocabulary_size)
        return cls(vocabulary.tokens, config, vocabulary.scores)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], config: TaskConfig) -> "Transcribe":
        """The task with the tokens that it has found, and of pieces their scores."""
        labels = tuple(facts["corpus"]["labels"])
        return cls(labels, config, tuple(facts.get(SCORES, ())) if config.vocabulary == PIECES else None)

    def facts(self) -> dict[str, Any]:
        """Of pieces their scores, by which texts are split: nothing else of SentencePiece's model is needed."""
        return {} if self.vocabulary.scores is None else {SCORES: self.vocabulary.scores}

    @classmethod
    def monitor_of(cls, config: TaskConfig) -> Monitor:
        """Errors of the tokens: of characters, of words or of pieces."""
        return Monitor(f"val_{ERROR_RATES[config.vocabulary]}", "min")

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Raise where the loss's kernel, or what makes pieces, cannot be had."""
        if config.task.vocabulary == PIECES:
            require_extra(EXTRA, "--vocabulary pieces")
        if config.model.tta_speeds != (1.0,):
            raise UserError(
                "settings-conflict",
                "--tta-speeds: of transcripts it is a way to decode: give it to predict and evaluate",
            )
        if config.runtime.xla == "on" and keras.backend.backend() == "tensorflow":
            raise UserError("settings-conflict", "--xla on: TensorFlow's CTC is unknown to XLA: leave it out")

    @classmethod
    def usable(cls, corpus: Corpus, max_bad: int) -> Corpus:
        """The corpus less what has no word in its text, or is too long; errors as of `usable_transcripts`."""
        return usable_transcripts(corpus, max_bad, cls.longest)

    @property
    def output(self) -> OutputSpec:
        """The blank and a logit for each token, at each frame."""
        return OutputSpec(1 + len(self.labels), per_frame=True)

    def add_training_clips(
        self, config: TrainConfig, corpus: Corpus, features: Features, open_run: Callable[[str], Trained]
    ) -> tuple[Corpus, tuple[Utterance, ...], dict[str, Any]]:
        """The corpus less the clips that CTC cannot learn; errors as of `learnable_transcripts`."""
        return learnable_transcripts(config, corpus, self.vocabulary), (), {}

    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """The token ids of each clip's text."""
        return Targets.ragged([self.vocabulary.encode(text_of(item)) for item in utterances])

    def loss(self, config: FitConfig) -> keras.losses.Loss:
        """CTC's."""
        return CTCLoss()

    def auxiliary_loss(self, network: keras.Model, config: FitConfig) -> AuxiliaryLoss | None:
        """The cross entropy of an attention decoder, where CTC's is not all of the loss."""
        if config.ctc_weight == 1:
            return None
        return attention_loss(network, self.output.size, config)

    def metrics(self) -> list[keras.metrics.Metric]:
        """Errors of the likeliest path: of its characters, words or pieces."""
        return [TokenErrorRate(name=self.monitor.name)]

    def doubt(self, scores: Mapping[str, Any]) -> str | None:
        """Is nothing said but blanks, or as many wrong tokens as there are?"""
        text = "after a third of its steps it says nothing but blanks, or nothing right: are its texts right?"
        more = "Else train on more, for more --epochs, at another --optimizer.learning-rate, or --init-from a run"
        return f"{text} {more}" if scores[self.monitor.column] >= 1 else None

    def probs(self, logits):
        """Softmax at each frame: `(batch, time, outputs)` to the same shape."""
        return keras.ops.softmax(logits)

    def decode(self, probs: np.ndarray, threshold: float) -> Transcript:
        """The text of the likeliest path through `(time, outputs)`."""
        text = self.decide(probs[None])[0]
        words = self._words(probs, text)
        return Transcript(text=text, confidence=_confidence(probs, words), words=words)

    def segmenter(self) -> Segmenter:
        """Cuts at pauses of a second, as subtitles do."""
        pause, longest = (max(round(seconds / self.frame_times.step), 1) for seconds in (PAUSE, LONGEST_SEGMENT))
        return Segmenter(self.vocabulary.space, pause, longest, self.vocabulary.begins)

    def partial(self, segmenter: Segmenter) -> str:
        """The text so far, which only grows, where it is decoded greedily."""
        return "" if self.decoder else self._text_of(segmenter.path)

    def join(self, answers: Sequence[Transcript], segmenter: Segmenter) -> Transcript:
        """The texts with a space between them."""
        words = tuple(word for answer in answers for word in answer.words)
        sure = geometric_mean([word.confidence for word in words]) if words else segmenter.least_blank
        return Transcript(text=" ".join(word.text for word in words), confidence=sure, words=words)

    def signature(self, probs: Any) -> dict[str, Any]:
        """The token ids of the likeliest path, -1 past its end."""
        return {"token_ids": best_path(probs)}

    def output_facts(self) -> dict[str, Any]:
        """Which outputs are the blank and the tokens, and when each is, in seconds."""
        times = {"first_seconds": self.frame_times.first, "step_seconds": self.frame_times.step}
        return {"blank": BLANK, "first_label": BLANK + 1, "end_of_token_ids": -1, **times}

    def to_json(self, answer: Transcript) -> dict[str, Any]:
        """The text and its confidence, and the words with theirs and with their times, to the millisecond."""
        words = [asdict(word) | {"start": round(word.start, 3), "end": round(word.end, 3)} for word in answer.words]
        return {"text": answer.text, "confidence": answer.confidence, "words": words}

    def cells(self, answer: Transcript) -> dict[str, str | None]:
        """The text and its confidence."""
        return {"text": answer.text or None, "confidence": f"{answer.confidence:.1%}"}

    def truth(self, utterances: Sequence[Utterance]) -> np.ndarray:
        """`(clips,)` the texts, normalised."""
        return np.array([text_of(item) for item in utterances], object)

    def decide(self, probs: np.ndarray) -> np.ndarray:
        """`(clips,)` the texts of `(clips, time, outputs)`: by the decoder, greedily where there is none."""
        if self.decoder is not None:
            return np.array([self.decoder.decode(clip) for clip in probs], object)
        return np.array([self._text_of(path) for path in probs.argmax(-1)], object)

    def word_error_rate(self, utterances: Sequence[Utterance], probs: np.ndarray) -> float:
        """Of the texts that it finds now."""
        return word_error_rate(self.truth(utterances).tolist(), self.decide(probs).tolist())

    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Raise where a recording has no text, or no word of any can be written in the tokens."""
        check_texts(utterances, source, "a transcript can only be measured against one")
        check_writable(utterances, source, self.vocabulary)

    def evaluate(
        self,
        run: Trained,
        utterances: Sequence[Utterance],
        probs: np.ndarray,
        *,
        groups: Columns | None = None,
        seed: int,
    ) -> dict[str, Any]:
        """What `transcription_metrics` says, with `labels`, the tokens, and texts that they cannot write."""
        found = self.decide(probs).tolist()
        confidences = uncalibrated = self._confidences(probs, found)
        if self.calibration and not _same_clips(utterances, run.utterances("validation")):
            confidences = [[*map(self.calibration, row)] for row in confidences]
        else:  # What was fitted on the same clips would say too much of itself.
            uncalibrated = None
        told = {"confidences": confidences, "uncalibrated": uncalibrated}
        metrics = self.scores(utterances, found, groups=groups, seed=seed, **told)
        unwritable = unwritable_facts(utterances, self.vocabulary)
        return {**metrics, "unit": "token", "labels": list(self.labels), "unwritable": unwritable}

    def scores(self, utterances: Sequence[Utterance], found: Sequence[str], **facts: Any) -> dict[str, Any]:
        """Those of transcripts, normalised: `transcription_metrics`, with its `facts`, `decoding` and `num_empty`."""
        speakers = [item.speaker for item in utterances]
        metrics = transcription_metrics(found, self.truth(utterances).tolist(), speakers, **facts)
        return {**metrics, "decoding": dict(self.decoding), "num_empty": sum(not text for text in found)}

    def fit_calibration(self, utterances: Sequence[Utterance], probs: np.ndarray) -> PlattScaling | None:
        """Of the words that it finds now, by Platt's scaling."""
        found = self.decide(probs).tolist()
        confidences = [one for row in self._confidences(probs, found) for one in row]
        return fit_platt(np.array(confidences), right_words(self.truth(utterances).tolist(), found))

    def judge(self, metrics: Mapping[str, Any]) -> list[Judgement]:
        """Does it say anything, and more right than wrong?"""
        if metrics["num_empty"] == metrics["num_clips"]:
            text = "It says nothing but blanks: train for more --epochs, or at another --optimizer.learning-rate."
            return [Judgement("only_blanks", text)]
        if metrics["wer"] >= 1:
            text = f"It makes as many errors as there are words ({metrics['wer']:.1%}), as saying nothing does."
            return [Judgement("worse_than_constant", f"{text} More --epochs or recordings may help.")]
        return []

    def notes(self, run: Trained, metrics: Mapping[str, Any]) -> list[str]:
        """How many texts the tokens cannot write."""
        facts = metrics["unwritable"]
        return [unwritable_note(facts, metrics["num_clips"])] if facts["num_clips"] else []

    def about(self) -> str:
        """In how many characters, words or pieces."""
        return f"write down what is said, in {self.vocabulary}"

    def headline(self, metrics: Mapping[str, Any]) -> str:
        """The word error rate."""
        return f"WER {metrics['wer']:.1%}"

    def summary(self, metrics: Mapping[str, Any]) -> list[str]:
        """Word errors with their interval, and transcripts that are right in every word."""
        interval = format_interval(metrics["wer_interval"], metrics["wer_method"])
        return [
            f"{self.headline(metrics)} of {metrics['num_words']:,} words ({interval}); {metrics['num_correct']:,} of "
            f"{metrics['num_clips']:,} test transcripts right in every word"
        ]

    def rows(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """Word errors and their kinds, character errors, transcripts that are right, the worst speaker."""
        rows = {
            "word errors": f"{self.headline(metrics)} of {metrics['num_words']:,} words ({metrics['measured_on']})",
            "95% interval": format_interval(metrics["wer_interval"], metrics["wer_method"]).removeprefix(
                "95% interval "
            ),
            "of these": f"{metrics['num_substitutions']:,} taken for another, {metrics['num_deletions']:,} left out, "
            f"{metrics['num_insertions']:,} put in",
            "character errors": f"{metrics['cer']:.1%}",
            "all right": f"{metrics['num_correct']:,} of {metrics['num_clips']:,} transcripts",
            "decoding": format_decoding(metrics["decoding"]),
        }
        if confusions := metrics["confusions"]:
            rows["often"] = ", ".join(
                f"{isolate(item['said'] or '-')} > {isolate(item['found'] or '-')} ({item['count']})"
                for item in confusions[:NUM_NAMED]
            )
        return rows

    def tiles(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """Character errors, transcripts that are right, and how they were found."""
        return {
            "character errors": f"{metrics['cer']:.1%}",
            "right in every word": f"{metrics['accuracy']:.1%}",
            "decoding": "beam search" if "beam" in metrics["decoding"] else "greedy",
        }

    def said(self, utterance: Utterance) -> str:
        """The text."""
        return text_of(utterance)

    def shown(self, probs: np.ndarray) -> tuple[str, float]:
        """The text of `(time, outputs)`, and how sure it is."""
        answer = self.decode(probs, self.threshold)
        return answer.text, answer.confidence

    def examples(self, utterances: Sequence[Utterance], probs: np.ndarray, most: int) -> list[Example]:
        """The transcripts with the most errors; where there is none, the least certain."""
        found = self.decide(probs).tolist()

        def detail(index: int) -> tuple[float, Alignment]:
            alignment = self._align(probs[index], found[index])
            return _confidence(probs[index], alignment.words), alignment

        return worst_transcripts(self.truth(utterances).tolist(), found, detail, most)

    def pictures(self, metrics: Mapping[str, Any]) -> list[str]:
        """Errors by length, the words' confidences, and errors by the decoder's weights, where these were tuned."""
        there = {
            "lengths": len(metrics["lengths"]) > 1,
            "calibration": metrics.get("calibration"),
            "decoding": metrics["decoding"].get("grid"),
        }
        return [name for name, what in there.items() if what]

    def _text_of(self, path: Sequence[int] | np.ndarray) -> str:
        """What a path says, greedily."""
        return " ".join(self.vocabulary.decode(collapse(np.asarray(path, int))).split())

    def _words(self, probs: np.ndarray, text: str) -> tuple[Word, ...]:
        """The words of a text with their times and calibrated confidences."""
        words = self._align(probs, text).words
        if self.calibration is None:
            return words
        return tuple(replace(word, confidence=self.calibration(word.confidence)) for word in words)

    def _confidences(self, probs: np.ndarray, found: Sequence[str]) -> list[list[float]]:
        """Those of each clip's words, as the network has them."""
        return [[word.confidence for word in self._align(*row).words] for row in zip(probs, found, strict=True)]

    def _align(self, probs: np.ndarray, text: str) -> Alignment:
        return Alignment.of(probs, text, self.vocabulary, self.frame_times)


def _confidence(probs: np.ndarray, words: Sequence[Word]) -> float:
    """How sure a transcript is."""
    if not words:
        return float(probs[:, BLANK].min(initial=1.0))
    return geometric_mean([word.confidence for word in words])


def _same_clips(one: Sequence[Utterance], other: Sequence[Utterance]) -> bool:
    """Whether some recordings are in both."""
    return not {item.path for item in one}.isdisjoint(item.path for item in other)
