"""Where a network comes apart: an encoder, which knows sounds, and a head, which knows the words."""

import keras

# The last layer of each builder.
HEAD = "logits"


def encoder(network: keras.Model) -> keras.Model:
    """A network without its head, from features `(batch, time, feature)` to what the head is given: an embedding.

    Args:
        network: what a builder made, or `run.network`; the two share their weights.
    """
    return keras.Model(network.input, network.get_layer(HEAD).input, name=f"{network.name}_encoder")


def with_embedding(network: keras.Model) -> keras.Model:
    """A network that gives its embedding beside its logits, from one pass; the two share their weights.

    Args:
        network: what a builder made.
    """
    return keras.Model(network.input, [network.output, network.get_layer(HEAD).input], name=network.name)


def encoder_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """All layers but the head."""
    return [layer for layer in network.layers if layer.name != HEAD]
