"""A voice in one graph: a text or its tokens in, a waveform out, with the vocoder inside.

Signatures of its SavedModel, each for any number of texts. They answer with `waveform` float32 (batch, samples),
`num_samples` int32 (batch,), which is each one's own, `log_mel` float32 (batch, time, n_mels) in dB, and `durations`
int32 (batch, tokens), frames:

serving_default   `text` string (batch,): up to `MOST_CHARACTERS`, said by the first voice at the speed that was learnt
speak             `text`, `voice` string (batch,), a name of the run's, and `speed` float32 (batch,), 2 twice as fast
tokens            `token_ids` int32 (batch, tokens), 0 past a text's end, `voice` int32 (batch,), `speed`

What cannot be said is an InvalidArgument. Texts are normalised in the graph as `kerasr.text.normalise` does it, but for
what Unicode alone knows: characters are composed ones, and numbers are written as they are said.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from kerasr.audio.inverse import num_samples
from kerasr.errors import UserError
from kerasr.exporters.converters import require_tensorflow, traced_once, write_signatures
from kerasr.inference.synthesizer import MOST_CHARACTERS, SPEEDS, sounding_model
from kerasr.layers.length_regulator import place_tokens
from kerasr.runs.run import Run
from kerasr.tasks.synthesize import Synthesize
from kerasr.text.normalization import APOSTROPHES
from kerasr.text.vocabulary import SPACE

Answer = dict[str, Any]


def is_voice(run: Run, vocoder: Run | None) -> bool:
    """Whether a run says texts.

    Raises:
        UserError: it does not, and a vocoder is given.
    """
    says = isinstance(run.task, Synthesize)
    if not says and vocoder is not None:
        raise UserError("settings-conflict", f"{run.path}: a vocoder is for a voice, and this is to {run.task.about()}")
    return says


class VoiceGraph:
    """What an export computes, of `keras.ops` alone.

    Args:
        run: a voice.
        vocoder: a run of the task `vocode`; Griffin-Lim where None.
        fft: as of `kerasr.audio.inverse.griffin_lim`.

    Attributes:
        run: the voice.
        task: its task.

    Raises:
        UserError: the run is no voice, or the other no vocoder of its front-end.
    """

    def __init__(self, run: Run, vocoder: Run | None, *, fft: bool = True):
        if not isinstance(run.task, Synthesize):
            raise UserError("task-unsupported", f"{run.path}: says nothing: this model is to {run.task.about()}")
        self.run, self.task, self._spec = run, run.task, run.config.features
        statistics = run.facts["statistics"]
        self._encoder, decoder = (run.network.get_layer(name) for name in ("encoder", "decoder"))
        self._sounding = sounding_model(decoder, run.vocoder(vocoder, fft=fft), **statistics)

    def speak(self, token_ids: Any, voice: Any, speed: Any) -> Answer:
        """Waveforms of tokens `(batch, tokens)`, by voices and at speeds `(batch,)`."""
        encoded, durations = self.encode(token_ids, voice, speed).values()
        num_frames = ops.sum(durations, axis=1)
        sound = self.decode(encoded, place_tokens(durations, ops.max(num_frames)))
        return {**sound, "num_samples": num_samples(num_frames, self._spec), "durations": durations}

    def encode(self, token_ids: Any, voice: Any, speed: Any) -> Answer:
        """`encoded` `(batch, tokens, channels)`, and `durations` `(batch, tokens)` in frames."""
        encoded, log_durations = self._encoder([token_ids, voice])
        return {"encoded": encoded, "durations": self.task.frames(log_durations, token_ids, speed[:, None])}

    def decode(self, encoded: Any, token_of_frame: Any) -> Answer:
        """`log_mel` and `waveform` of what `encode` gave, and the token of each frame `(batch, time)`."""
        return self._sounding([encoded, token_of_frame])


def write_voice_model(graph: VoiceGraph, folder: str) -> None:
    """Write a voice's SavedModel into a folder.

    Raises:
        UserError: Keras runs on another backend than TensorFlow.
    """
    require_tensorflow()
    write_signatures(endpoints(graph), folder)


def endpoints(graph: VoiceGraph) -> dict[str, tuple[Callable[..., Answer], list[tf.TensorSpec]]]:
    """Each signature's function and inputs."""
    labels, voices = graph.task.labels, list(graph.task.voices)

    each = {name: tf.TensorSpec([None], dtype, name) for name, dtype in (("text", tf.string), ("speed", tf.float32))}
    inputs = [*token_inputs()[:2], each["speed"]]

    def speak(text, voice, speed):
        return said(_tokens_of(text, labels), _place(voice, voices), speed)

    def tokens(token_ids, voice, speed):
        known = (token_ids >= 0) & (token_ids <= len(labels))
        held = tf.reduce_any(token_ids > 0, axis=1)
        with tf.control_dependencies(
            [
                _require(tf.reduce_all(known) & tf.reduce_all(held), "token_ids: a number that is no token, or none"),
                _require(tf.reduce_all((voice >= 0) & (voice < len(voices))), "voice: there is no such one"),
                _require(
                    tf.reduce_all((speed >= SPEEDS[0]) & (speed <= SPEEDS[1])),
                    f"speed: beyond {SPEEDS[0]:g} to {SPEEDS[1]:g}",
                ),
            ]
        ):
            return graph.speak(tf.identity(token_ids), tf.identity(voice), tf.identity(speed))

    said = traced_once(tokens, inputs)

    def serving_default(text):
        first = tf.zeros_like(text, tf.int32)
        return said(_tokens_of(text, labels), first, tf.ones_like(first, tf.float32))

    return {
        "serving_default": (serving_default, [each["text"]]),
        "speak": (speak, [each["text"], tf.TensorSpec([None], tf.string, "voice"), each["speed"]]),
        "tokens": (said, inputs),
    }


def token_inputs(batch: int | None = None) -> list[tf.TensorSpec]:
    """The inputs of `VoiceGraph.speak`, for so many texts (any number where None)."""
    return [
        tf.TensorSpec([batch, None], tf.int32, "token_ids"),
        tf.TensorSpec([batch], tf.int32, "voice"),
        tf.TensorSpec([batch], tf.float32, "speed"),
    ]


def requests(graph: VoiceGraph) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """One request of each signature, of all characters that there are."""
    task = graph.task
    text = "".join(label for label in task.labels if label != SPACE)[: MOST_CHARACTERS // 2]
    token_ids = np.array([task.vocabulary.encode(f"{SPACE}{text}{SPACE}")], np.int32)
    texts, speed = np.array([text], object), np.ones(1, np.float32)
    yield "serving_default", {"text": texts}
    yield "speak", {"text": texts, "voice": np.array([task.voices[0]], object), "speed": speed}
    yield "tokens", {"token_ids": token_ids, "voice": np.zeros(1, np.int32), "speed": speed}


def _place(names: tf.Tensor, among: Sequence[str]) -> tf.Tensor:
    """Where each of `(n,)` names stands; -1 of none."""
    # Not a lookup table, which a SavedModel would have to track.
    found = tf.equal(names[:, None], tf.constant(list(among)))
    return tf.where(tf.reduce_any(found, axis=1), tf.argmax(found, axis=1, output_type=tf.int32), -1)


def _tokens_of(text: tf.Tensor, labels: Sequence[str]) -> tf.Tensor:
    """Token ids `(batch, tokens)` of texts `(batch,)`, each with a space before and after it."""
    text = _normalised(text)
    characters = tf.strings.unicode_split(tf.strings.join([SPACE, text, SPACE]), "UTF-8")
    token_ids = tf.ragged.map_flat_values(lambda flat: 1 + _place(flat, labels), characters)
    length = tf.strings.length(text, unit="UTF8_CHAR")
    fits = tf.reduce_all((length > 0) & (length <= MOST_CHARACTERS))
    too_much = f"text: nothing to say, or more than {MOST_CHARACTERS} characters: cut it where a sentence ends"
    with tf.control_dependencies(
        [
            _require(fits, too_much),
            _require(tf.reduce_all(token_ids.flat_values > 0), "text: a character that the voice has not learnt"),
        ]
    ):
        return tf.identity(token_ids.to_tensor(0))


def _normalised(text: tf.Tensor) -> tf.Tensor:
    """Lower-case words with one space between them; of punctuation only apostrophes within a word are left."""
    text = tf.strings.lower(text, encoding="utf-8")
    others = "".join(map(chr, APOSTROPHES))
    for found, instead in (
        (f"[{others}]", "'"),
        (r"[^\p{L}\p{M}\p{N}']+", SPACE),
        ("''+", SPACE),
        ("(^| )'", SPACE),
        ("'( |$)", SPACE),
        (" +", SPACE),
    ):
        text = tf.strings.regex_replace(text, found, instead)
    return tf.strings.strip(text)


def _require(condition: tf.Tensor, words: str) -> tf.Operation:
    """InvalidArgument where a condition does not hold."""
    return tf.debugging.Assert(condition, [words])
