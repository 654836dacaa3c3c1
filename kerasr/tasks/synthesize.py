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
from kerasr.layers.length_regulator import frames_of_tokens, means_of_tokens, place_tokens
from kerasr.models.registry import SPEAKER
from kerasr.tasks.registry import register_task
from kerasr.tasks.speech import SpeechTask
from kerasr.tasks.speech_losses import DurationLoss, ProsodyLoss, SpectrogramLoss
from kerasr.tasks.token_durations import add_durations, parse_durations
from kerasr.tasks.token_pitches import STEPS, add_pitches, measure_pitches, standard_pitches
from kerasr.tasks.trained import Trained
from kerasr.text import Vocabulary, normalise

# What a network of this task gives; one that knows of tunes these, too.
OUTPUTS, PROSODY = ("log_mel", "log_durations"), ("pitch", "energy")
# What a run's facts call the pitches of its voices.
PITCHES_LEARNT = "pitches_learnt"


@register_task
class Synthesize(SpeechTask):
    """Speech of texts, in the voices of a corpus.

    A text begins and ends with a space, whose frames are the silence before and after it.

    Args:
        labels: the characters, or the phonemes' (`--phonemes`).
        config: the task's settings.
        voices: the speakers; one that nobody has named where empty.
        pitches: mean and deviation of each voice's log pitch, where pitch and energy are learnt, too.
        length_factor: how many times longer speech is than the predicted durations.

    Attributes:
        vocabulary: the labels.
        voices: the speakers, in the order of their numbers.
        pitches: as given; empty where durations alone are learnt.
        length_factor: as given; a training fits it at its end (`kerasr.evaluation.length_factor`).
    """

    name = "synthesize"
    kind = SPEAKER
    arranges = True

    def __init__(
        self,
        labels: tuple[str, ...],
        config: TaskConfig,
        voices: Sequence[str] = (),
        pitches: Sequence[tuple[float, float]] = (),
        length_factor: float = 1.0,
    ):
        super().__init__(labels, config)
        self.vocabulary = Vocabulary(labels)
        self.voices = tuple(voices) or ("",)
        self.pitches = tuple(pitches)
        self.length_factor = length_factor

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
        labels, pitches = tuple(facts["corpus"]["labels"]), facts.get(PITCHES_LEARNT, ())
        return cls(labels, config, facts["voices_learnt"], pitches, facts.get("length_factor") or 1.0)

    def facts(self) -> dict[str, Any]:
        """The voices."""
        return {"voices_learnt": list(self.voices)}

    def build_network(self, build: Callable[..., keras.Model], spec: FeatureSpec, options: Mapping[str, Any]) -> Any:
        """From tokens, a voice and the frames' tokens to energies and log durations."""
        return build(len(self.labels), spec.n_mels, num_voices=len(self.voices), **options)

    def find_network(self, model: Any) -> keras.Model | None:
        """All that is saved."""
        outputs = model.output if isinstance(model, keras.Model) else None
        known = ({*OUTPUTS}, {*OUTPUTS, *PROSODY})
        return model if isinstance(outputs, dict) and {*outputs} in known else None

    def why_not_network(self, model: Any, network: keras.Model, spec: FeatureSpec) -> str | None:
        """Energies of another front-end, or tokens and voices of others."""
        log_mel = network.output["log_mel"].shape
        if log_mel[-1] != spec.n_mels:
            return f"these weights make {log_mel[-1]} energies a frame, and the front-end has {spec.n_mels}"
        return None

    def add_training_clips(
        self, config: TrainConfig, corpus: Corpus, features: Features, open_run: Callable[[str], Trained]
    ) -> tuple[Corpus, tuple[Utterance, ...], dict[str, Any]]:
        """The corpus with its tokens' frames, and pitches if asked; errors as of `add_durations` and `add_pitches`."""
        corpus = add_durations(config, corpus, self.vocabulary, features)
        if not config.model.options.get("prosody"):
            return corpus, (), {}
        corpus = add_pitches(corpus, features.spec, config.data.max_bad)
        return corpus, (), {PITCHES_LEARNT: measure_pitches(corpus.utterances, self.voices)}

    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """Of each clip its voice and nothing, then each token and its frames; where pitch is learnt, that in steps."""
        number = {voice: place for place, voice in enumerate(self.voices)}
        rows = []
        for item in utterances:
            voice = number[item.speaker or ""]
            columns = [self.vocabulary.encode(spoken_text(item)), parse_durations(item)]
            if self.pitches:
                columns.append([round(STEPS * each) for each in standard_pitches(item, *self.pitches[voice])])
            rows.append([voice, *[0] * (len(columns) - 1), *sum(zip(*columns, strict=True), ())])
        return Targets.ragged(rows)

    def arrange(self, features: Any, targets: Any) -> tuple[Any, Any]:
        """Tokens, voice, the frames' tokens and the prosody; and the energies, durations and prosody that are right.

        A token's energy is the mean of its frames' normalised energies.
        """
        size = 3 if self.pitches else 2
        # Padding to a power of two may end within a token.
        targets = targets[:, : ops.shape(targets)[1] // size * size]
        token_ids, durations, *pitches = (targets[:, place::size] for place in range(size, 2 * size))
        token_of_frame = place_tokens(ops.maximum(durations, 0), ops.shape(features)[1])
        inputs = {"token_ids": ops.maximum(token_ids, 0), "voice": targets[:, 0], "token_of_frame": token_of_frame}
        right = {"log_mel": features, "log_durations": durations}
        if pitches:
            pitch = ops.cast(pitches[0], "float32") / STEPS
            energy = means_of_tokens(ops.mean(features, axis=2), token_of_frame, ops.shape(token_ids)[1])
            prosody, own = ops.stack([pitch, energy], axis=2), durations[..., None] >= 0
            inputs["prosody"] = ops.where(own, prosody, 0.0)
            right["pitch"], right["energy"] = ops.unstack(ops.where(own, prosody, float("nan")), axis=2)
        return inputs, right

    def frames(self, log_durations: Any, token_ids: Any, speed: Any) -> Any:
        """The frames of each token, as of `kerasr.layers.length_regulator.frames_of_tokens`, with `length_factor`."""
        return frames_of_tokens(log_durations, token_ids, speed / self.length_factor)

    def loss(self, config: FitConfig) -> Any:
        """Of energies and of durations, and of the prosody."""
        prosody = {name: ProsodyLoss() for name in PROSODY if self.pitches}
        return {"log_mel": SpectrogramLoss(), "log_durations": DurationLoss(), **prosody}

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
