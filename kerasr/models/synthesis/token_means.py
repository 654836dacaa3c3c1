"""Token means: of each token of a text, the energies that are heard where it sounds.

A token has a few states that follow one another, each with one vector of energies, which depends on the tokens beside
it. There is nothing else to it: what it is for is to find where each token sounds (`kerasr.tasks.token_alignment`).

Source: the prior of Kim et al., "Glow-TTS", NeurIPS 2020, https://arxiv.org/abs/2005.11129, section 3.1, over energies
in the place of a flow's latents: a hidden Markov model with a network in the place of its tables.
"""

import keras

from kerasr.layers import MaskPadding, NumTokens

# States of a token: how it begins and how it ends.
NUM_STATES = 2


def TokenMeans(num_tokens: int, n_mels: int, *, channels: int = 256, name: str = "token_means") -> keras.Model:
    """Build the network.

    Args:
        num_tokens: that there are, numbered from 1; less is padding.
        n_mels: energies of a frame.
        channels: of the two convolutions, each over three tokens.
        name: the model's name.

    Returns:
        Model from `token_ids` (batch, tokens) to energies (batch, tokens * NUM_STATES, n_mels), float32.
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    count = NumTokens(name="num_tokens")(token_ids)
    x = keras.layers.Embedding(num_tokens + 1, channels, name="tokens")(token_ids)
    for index in (1, 2):
        x = MaskPadding(name=f"mask{index}")(x, count)
        x = keras.layers.Conv1D(channels, 3, padding="same", activation="relu", name=f"conv{index}")(x)
    x = keras.layers.Dense(NUM_STATES * n_mels, dtype="float32", name="energies")(x)
    return keras.Model(token_ids, keras.layers.Reshape((-1, n_mels), name="states")(x), name=name)
