"""How does a text sound? Log-mel energies for its tokens, and how long each of them lasts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from kerasr.audio.features import Features
from kerasr.config import FeatureSpec, FitConfig, TaskConfig, TrainConfig
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.spoken_text import said_in, spoken_text
from kerasr.data.targets import Targets
from kerasr.errors import UserError
from kerasr.layers.length_regulator import place_tokens
from kerasr.models.registry import SPEAKER
from kerasr.tasks.registry import register_task
from kerasr.tasks.speech import SpeechTask
from kerasr.tasks.speech_losses import DurationLoss, SpectrogramLoss
from kerasr.tasks.token_durations import DURATIONS, add_durations
from kerasr.tasks.trained import Trained
from kerasr.text import Vocabulary, normalise

# What a network of this task gives.
OUTPUTS = ("log_mel", "log_durations")


@register_task
class Synthesize(SpeechTask):
    """Speech of texts, in the voices of a corpus.

    A text begins and ends with a space, whose frames are the silence before and after it.

    Args:
        labels: the characters, or the phonemes' (`--phonemes`).
        config: the task's settings.
        voices: the speakers; one that nobody has named where empty.

    Attributes:
        vocabulary: the labels.
        voices: the speakers, in the order of their numbers.
    """

    name = "synthesize"
    kind = SPEAKER
    arranges = True

    def __init__(self, labels: tuple[str, ...], config: TaskConfig, voices: Sequence[str] = ()):
        super().__init__(labels, config)
        self.vocabulary = Vocabulary(labels)
        self.voices = tuple(voices) or ("",)

    @classmethod
    def of_corpus(cls, corpus: Corpus, config: TaskConfig) -> "Synthesize":
        """The task of speaking as the speakers of a corpus do.

        Raises:
            UserError: a recording has no text, or there is no word in any.
        """
        _check_texts(corpus.utterances, corpus.source or corpus.name)
        texts = [spoken_text(item) for item in corpus.utterances]
        voices = sorted({item.speaker or "" for item in corpus.utterances})
        return cls(Vocabulary.of(texts).tokens, config, voices)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], config: TaskConfig) -> "Synthesize":
        """The task of a run."""
        return cls(tuple(facts["corpus"]["labels"]), config, tuple(facts["voices_learnt"]))

    def facts(self) -> dict[str, Any]:
        """The voices."""
        return {"voices_learnt": list(self.voices)}

    def build_network(self, build: Callable[..., keras.Model], spec: FeatureSpec, options: Mapping[str, Any]) -> Any:
        """From tokens, a voice and the frames' tokens to energies and log durations."""
        return build(len(self.labels), spec.n_mels, num_voices=len(self.voices), **options)

    def find_network(self, model: Any) -> keras.Model | None:
        """All that is saved."""
        outputs = model.output if isinstance(model, keras.Model) else None
        return model if isinstance(outputs, dict) and {*outputs} == {*OUTPUTS} else None

    def why_not_network(self, model: Any, network: keras.Model, spec: FeatureSpec) -> str | None:
        """Energies of another front-end, or tokens and voices of others."""
        log_mel = network.output["log_mel"].shape
        if log_mel[-1] != spec.n_mels:
            return f"these weights make {log_mel[-1]} energies a frame, and the front-end has {spec.n_mels}"
        return None

    def add_training_clips(
        self, config: TrainConfig, corpus: Corpus, features: Features, open_run: Callable[[str], Trained]
    ) -> tuple[Corpus, tuple[Utterance, ...], dict[str, Any]]:
        """The corpus, each recording with the frames of its tokens; errors as of `add_durations`."""
        return add_durations(config, corpus, self.vocabulary, features), (), {}

    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """Of each clip its voice and nothing, then each token and its frames."""
        number = {voice: place for place, voice in enumerate(self.voices)}
        rows = []
        for item in utterances:
            tokens = self.vocabulary.encode(spoken_text(item))
            durations = map(int, item.extra[DURATIONS].split())
            rows.append([number[item.speaker or ""], 0, *sum(zip(tokens, durations, strict=True), ())])
        return Targets.ragged(rows)

    def arrange(self, features: Any, targets: Any) -> tuple[Any, Any]:
        """Tokens, voice and the frames' tokens; and of these the energies and durations that are right."""
        token_ids, durations = targets[:, 2::2], targets[:, 3::2]
        token_of_frame = place_tokens(ops.maximum(durations, 0), ops.shape(features)[1])
        inputs = {"token_ids": ops.maximum(token_ids, 0), "voice": targets[:, 0], "token_of_frame": token_of_frame}
        return inputs, {"log_mel": features, "log_durations": durations}

    def loss(self, config: FitConfig) -> Any:
        """Of energies and of durations."""
        return {"log_mel": SpectrogramLoss(), "log_durations": DurationLoss()}

    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Raise where a recording has no text."""
        _check_texts(utterances, source)

    def about(self) -> str:
        """In how many voices."""
        return f"speak in {len(self.voices)} voice{'s' * (len(self.voices) != 1)}"

    def summary(self, metrics: Mapping[str, Any]) -> list[str]:
        """How far it is from the recordings, and what recognisers hear of it."""
        first = f"{self.headline(metrics)} from {metrics['num_clips']:,} recordings of the same texts"
        return [first, *(f"{judge['judge']} hears {_heard(judge)}" for judge in metrics["judges"])]

    def rows(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """The same, with the speech's length and what it costs."""
        rows = {
            "from the recordings": f"{self.headline(metrics)} ({metrics['measured_on']})",
            **({"pitch": f"{cents:.0f} cents from theirs"} if (cents := metrics["pitch_error_cents"]) else {}),
            "length": f"{metrics['length_ratio']:.2f} times the recordings'",
            "real-time factor": f"{metrics['real_time_factor']:.3f} of a processor",
        }
        return {**rows, **{f"heard by {judge['judge']}": _heard(judge) for judge in metrics["judges"]}}

    def tiles(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """What the first recogniser hears, the speech's length and what it costs."""
        heard = {f"word errors, {judge['judge']}": f"{judge['wer']:.1%}" for judge in metrics["judges"][:1]}
        return {**heard, "real-time factor": f"{metrics['real_time_factor']:.3f}"}


def _check_texts(utterances: Sequence[Utterance], source: str) -> None:
    """Raise where a recording has no text and no word."""
    if without := [item.path for item in utterances if not normalise(said_in(item))]:
        raise UserError(
            "text-missing",
            f"{source}: {len(without):,} recordings have no text, as {without[0]}: a voice learns how texts sound",
        )


def _heard(judge: Mapping[str, Any]) -> str:
    """What a recogniser hears of the voice, beside what it hears of the recordings."""
    return f"WER {judge['wer']:.1%} of {judge['num_words']:,} words, of the recordings {judge['recordings_wer']:.1%}"
