"""SpeedySpeech: residual dilated convolutions from tokens to durations and log-mel energies, and no attention.

An encoder reads the tokens. A small network says of each how long it sounds; the vectors are spread over that many
frames, with sines of the place within the token, and a decoder makes the energies of them. A residual block is a
convolution, a ReLU and batch norm, twice, around which its input goes. Where several voices speak, a vector for each is
added to what the encoder has made.

With `post_blocks` a plain residual 2-D network over the log-mel energies adds to them what the decoder, whose kernels
know nothing of neighbouring bands, leaves blurred; it begins by adding nothing. (A post-net, as Tacotron 2 has one of
1-D convolutions, Shen et al. 2018, https://arxiv.org/abs/1712.05884; its blocks are those of He et al. 2016,
https://arxiv.org/abs/1512.03385.)

With `prosody` two more networks like that of the durations tell each token's pitch and energy. They stand behind its
vector, and the decoder adds a projection of them to it. (Łańcucki, "FastPitch", ICASSP 2021,
https://arxiv.org/abs/2006.06873, section 2; energy is of its code.)

In training durations and prosody are those of the recordings, and the predictors' gradients end at the encoder, as in
the code of SpeedySpeech's paper.

Source: Vainer and Dušek, "SpeedySpeech: Efficient Neural Speech Synthesis", Interspeech 2020,
https://arxiv.org/abs/2008.03802, section 2.2.
"""

import keras
from keras import ops

from kerasr.layers import LengthRegulator, MaskPadding, NumTokens
from kerasr.models.blocks import conv_norm, masked_norm, residual_block
from kerasr.models.registry import register_model

# Tokens, or frames, between a kernel's taps, block by block of a stack; a last block has them side by side.
ENCODER_DILATIONS = (1, 2, 4)
DECODER_DILATIONS = (1, 2, 4, 8)
# Tokens that a predictor's kernels span.
PREDICTOR_KERNELS = (4, 3, 1)
# What is said of a token's tune, behind its vector.
PROSODY = ("pitch", "energy")


@register_model(
    source="Vainer and Dušek 2020, https://arxiv.org/abs/2008.03802",
    parameters=4_318_161,
    masks_padding=True,
    narrow={"channels": 8, "num_stacks": 1},
    variants=({"post_blocks": 1, "post_filters": 4}, {"prosody": True}),
)
def SpeedySpeech(
    num_tokens: int,
    n_mels: int,
    num_voices: int = 1,
    *,
    channels: int = 128,
    kernel_size: int = 4,
    num_stacks: int = 4,
    post_blocks: int = 0,
    post_filters: int = 16,
    prosody: bool = False,
    name: str = "speedy_speech",
) -> keras.Model:
    """Build SpeedySpeech's network.

    Args:
        num_tokens: that there are, numbered from 1; less is padding.
        n_mels: energies of a frame.
        num_voices: speakers.
        channels: of each convolution.
        kernel_size: tokens or frames that a kernel has taps for.
        num_stacks: of residual blocks, in the encoder and in the decoder.
        post_blocks: residual blocks of the post-net; 0 for none.
        post_filters: of each of its convolutions.
        prosody: whether pitch and energy of the tokens are predicted, and heard.
        name: the model's name.

    Returns:
        Model from `token_ids` (batch, tokens), `voice` (batch,), numbered from 0, and `token_of_frame` (batch, time),
        -1 past the speech's end, to `log_mel` (batch, time, n_mels) and `log_durations` (batch, tokens), logarithms of
        frames; both zero in the padding, float32. Its layers `encoder` and `decoder` are models: the one from tokens
        and voice to their vectors and log durations, the other from vectors and `token_of_frame` to energies.

        With `prosody` it takes `prosody` (batch, tokens, 2), too, pitch and energy, and gives those that it predicts as
        `pitch` and `energy` (batch, tokens). A vector of `encoder` ends with these two, which `decoder` says it by.
    """
    encoder = _encoder(num_tokens, num_voices, channels, kernel_size, num_stacks * ENCODER_DILATIONS + (1,), prosody)
    dilations = num_stacks * DECODER_DILATIONS + (1,)
    decoder = _decoder(n_mels, channels, kernel_size, dilations, post_blocks, post_filters, prosody)
    token_ids, voice, token_of_frame = _inputs("token_ids", "voice", "token_of_frame")
    inputs = {"token_ids": token_ids, "voice": voice, "token_of_frame": token_of_frame}
    encoded, log_durations = encoder([token_ids, voice])
    outputs = {"log_durations": log_durations}
    if prosody:
        given = inputs["prosody"] = keras.Input((None, len(PROSODY)), name="prosody")
        vectors, *predicted = ops.split(encoded, [channels, channels + 1], axis=-1)
        encoded = keras.layers.Concatenate(name="vectors_and_prosody")([vectors, given])
        for part, value in zip(PROSODY, predicted, strict=True):
            outputs[part] = keras.layers.Reshape((-1,), dtype="float32", name=part)(value)
    return keras.Model(inputs, {"log_mel": decoder([encoded, token_of_frame]), **outputs}, name=name)


def _inputs(*names):
    shapes = {"token_ids": (None,), "voice": (), "token_of_frame": (None,)}
    return [keras.Input(shapes[name], dtype="int32", name=name) for name in names]


def _encoder(num_tokens, num_voices, channels, kernel_size, dilations, prosody):
    token_ids, voice = _inputs("token_ids", "voice")
    count = NumTokens(name="num_tokens")(token_ids)
    x = keras.layers.Embedding(num_tokens + 1, channels, name="tokens")(ops.maximum(token_ids, 0))
    x = keras.layers.Dense(channels, activation="relu", name="first")(x)
    x = embedded = MaskPadding(name="first_mask")(x, count)
    for index, dilation in enumerate(dilations, 1):
        x = _block(x, count, kernel_size, dilation, f"block{index}")
    x = keras.layers.Add(name="around")([keras.layers.Dense(channels, name="middle")(x), embedded])
    x = masked_norm(keras.layers.ReLU(name="last_relu")(x), count, "last_norm")
    x = keras.layers.Dense(channels, name="last")(x)
    if num_voices > 1:
        voices = keras.layers.Embedding(num_voices, channels, name="voices")(voice)
        x = keras.layers.Add(name="voiced")([x, keras.layers.Reshape((1, channels), name="each")(voices)])
    x = MaskPadding(name="padding")(x, count)
    known = ops.stop_gradient(x)
    log_durations = keras.layers.Reshape((-1,), name="log_durations")(_predicted(known, count, "duration"))
    if prosody:
        x = keras.layers.Concatenate(name="prosody")([x, *(_predicted(known, count, part) for part in PROSODY)])
    return keras.Model([token_ids, voice], [x, log_durations], name="encoder")


def _predicted(x, count, part):
    """`(batch, tokens, 1)` of a number that is predicted of each token: the logarithm of its frames, its pitch, ..."""
    for index, size in enumerate(PREDICTOR_KERNELS, 1):
        x = _block(x, count, size, 1, f"{part}{index}", repeats=1)
    x = keras.layers.Dense(1, dtype="float32", name=f"{part}_last")(x)
    return MaskPadding(dtype="float32", name=f"{part}_padding")(x, count)


def _decoder(n_mels, channels, kernel_size, dilations, post_blocks, post_filters, prosody):
    encoded = x = keras.Input((None, channels + prosody * len(PROSODY)), name="encoded")
    (token_of_frame,) = _inputs("token_of_frame")
    if prosody:
        x, tune = ops.split(encoded, [channels], axis=-1)
        x = keras.layers.Add(name="tuned")([x, keras.layers.Dense(channels, name="tune")(tune)])
    x = spread = LengthRegulator(name="spread")(x, token_of_frame)
    count = ops.sum(ops.cast(token_of_frame >= 0, "int32"), axis=1)
    for index, dilation in enumerate(dilations, 1):
        x = _block(x, count, kernel_size, dilation, f"block{index}")
    x = keras.layers.Add(name="around")([keras.layers.Dense(channels, name="middle")(x), spread])
    x = _block(MaskPadding(name="middle_mask")(x, count), count, kernel_size, 1, "last_block")
    log_mel = keras.layers.Dense(n_mels, dtype="float32", name="log_mel")(x)
    if post_blocks:
        log_mel = _refined(log_mel, count, post_blocks, post_filters)
    return keras.Model(
        [encoded, token_of_frame], MaskPadding(dtype="float32", name="padding")(log_mel, count), name="decoder"
    )


def _refined(log_mel, count, num_blocks, filters):
    """Energies `(batch, time, n_mels)`, and what the post-net adds to them."""
    energies = MaskPadding(dtype="float32", name="post_mask")(log_mel, count)
    x = keras.layers.Reshape((-1, log_mel.shape[-1], 1), name="post_picture")(energies)
    x = keras.layers.ReLU(name="post_relu")(conv_norm(x, count, filters, 3, (1, 1), "post_first"))
    for index in range(1, num_blocks + 1):
        x = residual_block(x, count, filters, (1, 1), f"post{index}")
    x = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros", dtype="float32", name="post_last")(x)
    x = keras.layers.Reshape((-1, log_mel.shape[-1]), name="post_frames")(x)
    return keras.layers.Add(dtype="float32", name="refined")([energies, x])


def _block(x, count, size, dilation, name, *, repeats=2):
    """A residual block of `(batch, time, channels)`, zero past the end that `count` tells."""
    around, channels = x, x.shape[-1]
    for repeat in range(1, repeats + 1):
        part = f"{name}_{repeat}"
        x = keras.layers.Conv1D(channels, size, padding="same", dilation_rate=dilation, activation="relu", name=part)(x)
        x = masked_norm(x, count, f"{part}_norm")
    return keras.layers.Add(name=f"{name}_add")([x, around])
