"""Whisper: windows of half a minute as log-mel energies to text, over byte-pair tokens.

Its log-mel energies are its own: the converter of the preset computes them (`keras_hub.layers.WhisperAudioConverter`),
and no setting of kerasr's front-end changes them.

Source: Radford et al. 2022, https://arxiv.org/abs/2212.04356; what is done at silence is section 4.5's.
"""

import keras
import numpy as np
from keras import ops

from kerasr.models.hub import Pretrained
from kerasr.pretrained.decoder import Decoder, State, empty_caches, log_softmax

# The token for silence, by the names that it has had, and the thresholds of section 4.5.
NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")
LEAST_SILENCE, LEAST_LOG_PROB = 0.6, -1.0
# Start, language, task, no time stamps.
MAX_PROMPT = 4


class WhisperDecoder(Decoder):
    """Whisper's decoder, without its time stamps.

    A model of many languages takes the one that is likeliest in a window. Of tokens that no text has (time stamps,
    languages, tasks) none is said.
    """

    def __init__(self, model: Pretrained):
        super().__init__(model)
        tokenizer = self.tokenizer
        self.encoder = keras.Model(
            self.backbone.input["encoder_features"], self.backbone.output["encoder_sequence_output"]
        )
        self.end = tokenizer.eos_token_id
        self.max_seconds = self.converter.max_audio_length
        special = dict(zip(tokenizer.special_tokens, tokenizer.special_token_ids, strict=True))
        self.no_speech: int | None = next((special[name] for name in NO_SPEECH if name in special), None)
        self.languages = np.array(sorted((tokenizer.language_tokens or {}).values()), int)
        # Whatever the vocabulary does not have are time stamps.
        text = {tokenizer.token_to_id(token) for token in tokenizer.get_vocabulary()}
        text = text - set(special.values()) - set(self.languages.tolist()) | {self.end}
        self._never = np.array(sorted(set(range(self.backbone.vocabulary_size)) - text), int)

    def max_tokens(self, num_samples: int) -> int:
        # Half of the decoder's length, as the authors' code has it: the other half is for a prompt.
        return self.backbone.max_decoder_sequence_length // 2

    def begin(self, waveform: np.ndarray) -> tuple[State, list[int]]:
        features = ops.convert_to_tensor(self.converter(waveform))[None]
        backbone, tokenizer = self.backbone, self.tokenizer
        shape = backbone.num_heads, backbone.hidden_dim // backbone.num_heads, backbone.compute_dtype
        encoded = self.encoder(features, training=False)
        state = State(
            encoded,
            own=empty_caches(backbone.num_layers, MAX_PROMPT + self.max_tokens(len(waveform)), *shape),
            cross=empty_caches(backbone.num_layers, encoded.shape[1], *shape),
        )
        prompt = [tokenizer.bos_token_id]
        if len(self.languages):
            logits, _ = self.step(np.array(prompt), 0, state)
            language = self.languages[logits[0, self.languages].argmax()]
            prompt += [int(language), tokenizer.transcribe_token_id]
        return state, [*prompt, tokenizer.no_timestamps_token_id]

    def step(self, token_ids: np.ndarray, place: int, state: State) -> tuple[np.ndarray, State]:
        backbone = self.backbone
        x = backbone.decoder_embeddings(ops.convert_to_tensor(token_ids[:, None], "int32"), start_index=place)
        own, cross = [], []
        for layer, before, sound in zip(backbone.decoder_transformer_layers, state.own, state.cross, strict=True):
            x, after, sound = layer(
                x,
                state.encoded,
                self_attention_cache=before,
                self_attention_cache_update_index=place,
                cross_attention_cache=sound,
                # The first token fills the keys and values of the sound, the others find them.
                cross_attention_cache_update_index=None if place else 0,
                training=False,
            )
            own.append(after)
            cross.append(sound)
        logits = backbone.token_embedding(backbone.decoder_layer_norm(x), reverse=True)
        return ops.convert_to_numpy(logits)[:, 0], State(state.encoded, tuple(own), tuple(cross))

    def allowed(self, logits: np.ndarray) -> np.ndarray:
        logits = logits.copy()
        logits[:, self._never] = -np.inf
        return logits

    def is_silent(self, first: np.ndarray, mean_log_prob: float) -> bool:
        if self.no_speech is None:
            return False
        silence = np.exp(log_softmax(first)[self.no_speech])
        return bool(silence > LEAST_SILENCE and mean_log_prob < LEAST_LOG_PROB)
