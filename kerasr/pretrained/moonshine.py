"""Moonshine: waveforms of up to a minute to text, over SentencePiece tokens; its first layers are the front-end.

Source: Jeffries et al. 2024, https://arxiv.org/abs/2410.15608, and the authors' code for the most tokens a second.
"""

import math

import keras
import numpy as np
from keras import ops

from kerasr.models.hub import Pretrained
from kerasr.pretrained.decoder import Decoder, State, empty_caches

# It reads up to 64 s; half a minute is what it has been trained on.
MAX_SECONDS = 30.0
# More than any speech has: a text that goes on repeats itself.
TOKENS_A_SECOND = 6.5
# Shorter recordings, in seconds, are padded to this: the least that the authors' code takes.
LEAST_SECONDS = 0.1


class MoonshineDecoder(Decoder):
    """Moonshine's decoder, with rotary positions."""

    def __init__(self, model: Pretrained):
        super().__init__(model)
        self.end = self.tokenizer.end_token_id
        self.max_seconds = MAX_SECONDS
        self.encoder = keras.Model(
            [self.backbone.input["encoder_input_values"], self.backbone.input["encoder_padding_mask"]],
            self.backbone.output["encoder_sequence_output"],
        )

    def max_tokens(self, num_samples: int) -> int:
        return math.ceil(num_samples / self.sample_rate * TOKENS_A_SECOND)

    def begin(self, waveform: np.ndarray) -> tuple[State, list[int]]:
        backbone = self.backbone
        padded = np.pad(waveform, (0, max(round(LEAST_SECONDS * self.sample_rate) - len(waveform), 0)))
        encoded = self.encoder([self.converter(padded[None]), ops.ones((1, len(padded)), "bool")], training=False)
        width = backbone.hidden_dim // backbone.decoder_num_heads
        multiple = backbone.pad_head_dim_to_multiple_of or 1
        own = empty_caches(
            backbone.decoder_num_layers,
            1 + self.max_tokens(len(waveform)),
            backbone.decoder_num_heads,
            -(-width // multiple) * multiple,
            backbone.compute_dtype,
        )
        return State(encoded, own), [self.tokenizer.start_token_id]

    def step(self, token_ids: np.ndarray, place: int, state: State) -> tuple[np.ndarray, State]:
        backbone = self.backbone
        x = backbone.token_embedding(ops.convert_to_tensor(token_ids[:, None], "int32"))
        position = backbone.decoder_rotary_embedding(ops.convert_to_tensor([place], "int32"))
        own = []
        for block, before in zip(backbone.decoder_blocks, state.own, strict=True):
            x, after = block(
                x,
                state.encoded,
                position,
                self_attention_cache=before,
                self_attention_cache_update_index=place,
                training=False,
            )
            own.append(after)
        logits = backbone.token_embedding(backbone.decoder_post_norm(x), reverse=True)
        return ops.convert_to_numpy(logits)[:, 0], State(state.encoded, tuple(own))
