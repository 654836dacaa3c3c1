"""A voice at work: texts in, speech out, a chunk of a long one at a time."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import soxr
from keras import ops

from kerasr.audio.features import MIN_POWER
from kerasr.audio.inverse import num_samples
from kerasr.config import FeatureSpec, TrainConfig
from kerasr.decoding.alignment import FrameTimes
from kerasr.errors import UserError
from kerasr.inference.speech import Speech
from kerasr.inference.vocoder import Vocoder
from kerasr.layers.length_regulator import place_tokens
from kerasr.layers.shapes import compile_few_shapes, padded_size
from kerasr.tasks import Task
from kerasr.tasks.synthesize import Synthesize
from kerasr.text import normalise
from kerasr.text.normalization import SENTENCE_ENDS
from kerasr.text.numbers import spell_numbers
from kerasr.text.phonemes import phonemize
from kerasr.text.vocabulary import SPACE

# A longer text is said in parts, where a sentence ends, else between two words: memory stays as it is.
MOST_CHARACTERS = 200
# A first sentence that is longer is said up to its last comma before that, where it has one: it sounds soon.
FIRST_CHARACTERS = 100
# Slower or faster than this is no speech.
SPEEDS = (0.25, 4.0)
MOST_SEMITONES = 12.0


class Synthesizer:
    """Says texts.

    Args:
        network: from tokens to energies and log durations, with its layers `encoder` and `decoder`.
        task: of the network.
        spec: of the front-end whose energies it makes.
        mean: of each energy over the training, `(n_mels,)`.
        std: its standard deviation.
        vocoder: what makes waveforms of energies.
        numbers: the language in which numbers are said (`kerasr.text.numbers`); None leaves them as they are.
        phonemes: the language whose phonemes it has learnt (`kerasr.text.phonemes`); None of letters.
    """

    def __init__(
        self,
        network: keras.Model,
        task: Synthesize,
        spec: FeatureSpec,
        mean: Any,
        std: Any,
        vocoder: Vocoder,
        numbers: str | None = None,
        phonemes: str | None = None,
    ):
        self._encoder = network.get_layer("encoder")
        self._sounding = sounding_model(network.get_layer("decoder"), vocoder, mean, std)
        self._task, self._spec, self._numbers, self._phonemes = task, spec, numbers, phonemes
        compile_few_shapes(self._encoder, self._sounding)

    @property
    def voices(self) -> Sequence[str]:
        """Who can speak; one without a name where nobody is named."""
        return self._task.voices

    def say(
        self,
        text: str,
        voice: str | Mapping[str, float] | None = None,
        speed: float = 1.0,
        pitch: float = 0.0,
        *,
        duration_noise: float = 0.0,
        seed: int = 0,
    ) -> Iterator[Speech]:
        """A text, as it is made: a part of a long one at a time.

        Args:
            text: of any length.
            voice: one of the task's, or shares of several, which add up to 1, for one between them; the first where
                None.
            speed: 1 as learnt, 2 twice as fast.
            pitch: semitones higher, or below 0 lower; timbre moves along, as with another vocal tract.
            duration_noise: standard deviation of what is added to each token's log duration.
            seed: draws it.

        Raises:
            UserError: there is nothing to say, or a character that the voice has not learnt; no such voice; no such
                speed.
        """
        shares = self._shares_of(voice)
        if not SPEEDS[0] <= speed <= SPEEDS[1]:
            raise UserError("setting-out-of-range", f"speed {speed:g}: give one of {SPEEDS[0]:g} to {SPEEDS[1]:g}")
        if not abs(pitch) <= MOST_SEMITONES:
            raise UserError("setting-out-of-range", f"pitch {pitch:g}: give {MOST_SEMITONES:g} semitones at most")
        if self._numbers:
            text = spell_numbers(text, self._numbers)
        parts = [said for part in split_text(text) if (said := normalise(part))]
        if not parts:
            raise UserError("text-empty", "there is nothing to say: give a text with letters in it")
        written = [phonemize(part, self._phonemes) for part in parts] if self._phonemes else parts
        encoded = [self._task.vocabulary.encode(f"{SPACE}{part}{SPACE}") for part in written]
        draw = np.random.default_rng(seed)
        for part, token_ids in zip(parts, encoded, strict=True):
            noise = draw.normal(0.0, duration_noise, len(token_ids))
            yield self._speech(part, token_ids, shares, speed, 2 ** (pitch / 12), noise)

    def _shares_of(self, voice: str | Mapping[str, float] | None) -> np.ndarray:
        """What each of the voices has in it, `(voices,)`."""
        voices = self.voices
        shares = {voices[0] if voice is None else voice: 1.0} if voice is None or isinstance(voice, str) else voice
        if unknown := [name for name in shares if name not in voices]:
            known = ", ".join(voices) if any(voices) else "one without a name"
            raise UserError("voice-not-found", f"there is no voice {unknown[0]!r}; there is {known}")
        return np.array([shares.get(name, 0.0) for name in voices], np.float32)

    def _speech(
        self, text: str, token_ids: list[int], shares: np.ndarray, speed: float, ratio: float, noise: np.ndarray
    ) -> Speech:
        ids, numbers = self._padded(np.array([token_ids]), 0), np.flatnonzero(shares)
        each = self._encoder.predict_on_batch([np.repeat(ids, len(numbers), axis=0), numbers])
        # A voice is added to what the tokens are: one between several is their mean.
        encoded, log_durations = (np.tensordot(shares[numbers], value, 1)[None] for value in each)
        log_durations[0, : len(token_ids)] += noise
        # Said slower, to be played as much faster.
        frames = ops.convert_to_numpy(self._task.frames(log_durations, ids, speed / ratio))
        token_of_frame = ops.convert_to_numpy(place_tokens(frames, int(frames.sum())))
        sound = self._sounding.predict_on_batch([encoded, self._padded(token_of_frame, -1)])
        frames, num_frames = frames[0, : len(token_ids)], int(frames.sum())
        sample_rate = self._spec.sample_rate
        waveform = sound["waveform"][0, : num_samples(num_frames, self._spec)]
        waveform = waveform if ratio == 1 else soxr.resample(waveform, ratio, 1.0)
        seconds, times = len(waveform) / sample_rate, FrameTimes.of(self._spec, stride=1)
        # A frame sounds about its middle; the first and the last token have what is beyond.
        borders = (times.first + (np.cumsum(frames[:-1]) - 0.5) * times.step) / ratio
        borders = np.clip([0.0, *borders, seconds], 0.0, seconds)
        said = (self._task.labels[token - 1] for token in token_ids)
        return Speech(
            text=text,
            voice=self.voices[int(shares.argmax())],
            waveform=waveform,
            sample_rate=sample_rate,
            log_mel=sound["log_mel"][0, :num_frames],
            alignment=tuple(zip(said, borders[:-1].tolist(), borders[1:].tolist(), strict=True)),
        )

    def _padded(self, rows: np.ndarray, value: int) -> np.ndarray:
        width = padded_size(rows.shape[1])
        return np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=value).astype(np.int32)


def sounding_model(decoder: keras.Model, vocoder: Vocoder, mean: Any, std: Any) -> keras.Model:
    """From tokens' vectors and the token of each frame to energies in dB and their waveform."""
    encoded, token_of_frame = (keras.Input(given.shape[1:], dtype=given.dtype) for given in decoder.inputs)
    energies = decoder([encoded, token_of_frame]) * np.asarray(std, np.float32) + np.asarray(mean, np.float32)
    # Past the speech's end all is silent.
    own = ops.cast(token_of_frame >= 0, "float32")[..., None]
    energies = own * energies + (1.0 - own) * float(10 * np.log10(MIN_POWER))
    return keras.Model([encoded, token_of_frame], {"log_mel": energies, "waveform": vocoder(energies)})


def make_synthesizer(
    network: keras.Model,
    task: Task,
    config: TrainConfig,
    statistics: Mapping[str, Any],
    path: Any,
    vocoder: Vocoder,
) -> Synthesizer:
    """What says texts by a run's network, and a vocoder.

    Raises:
        UserError: the run is no voice.
    """
    if not isinstance(task, Synthesize):
        raise UserError("task-unsupported", f"{path}: says nothing: this model is to {task.about()}")
    said = {"numbers": config.data.spell_numbers, "phonemes": config.data.phonemes}
    return Synthesizer(network, task, config.features, **statistics, vocoder=vocoder, **said)


def split_text(text: str) -> Iterator[str]:
    """A text's sentences, and of a long one its words, in parts of `MOST_CHARACTERS` at most."""
    sentences = SENTENCE_ENDS.split(text.strip())
    comma = sentences[0].rfind(", ", 0, FIRST_CHARACTERS) if len(sentences[0]) > FIRST_CHARACTERS else -1
    if comma > 0:
        sentences[:1] = [sentences[0][: comma + 1], sentences[0][comma + 2 :]]
    for sentence in sentences:
        yield from textwrap.wrap(sentence, MOST_CHARACTERS, break_on_hyphens=False)
