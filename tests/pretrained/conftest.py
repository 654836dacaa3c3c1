"""Whisper and Moonshine, tiny and random, saved as keras-hub saves a preset."""

import io

import keras
import numpy as np
import pytest

WORDS = "one two three four"
SPECIAL = ("startoftranscript", "endoftext", "notimestamps", "translate", "transcribe", "nospeech")


def _shake(backbone: keras.Model) -> None:
    """Weights large enough for its answers to depend on what it is given."""
    rng = np.random.default_rng(0)
    for weight in backbone.trainable_weights:
        weight.assign(weight + 0.5 * rng.standard_normal(weight.shape))


@pytest.fixture(scope="session")
def whisper_folder(tmp_path_factory):
    """A Whisper of two languages that reads a second, with time stamps beyond its vocabulary."""
    hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed: the extra hub")
    folder = tmp_path_factory.mktemp("whisper")
    keras.utils.set_random_seed(0)
    vocabulary = {token: number for number, token in enumerate([*sorted(set(WORDS) - {" "}), "\u0120", "on", "tw"])}
    size = len(vocabulary)
    special = {f"<|{name}|>": size + number for number, name in enumerate(SPECIAL)}
    languages = {"<|en|>": size + len(special), "<|de|>": size + len(special) + 1}
    tokenizer = hub.models.WhisperTokenizer(
        vocabulary, merges=["o n", "t w"], special_tokens=special, language_tokens=languages
    )
    backbone = hub.models.WhisperBackbone(
        vocabulary_size=size + len(special) + 7,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=8,
        max_encoder_sequence_length=100,
        max_decoder_sequence_length=12,
    )
    _shake(backbone)
    for part in (backbone, tokenizer, hub.layers.WhisperAudioConverter(max_audio_length=1)):
        part.save_to_preset(str(folder))
    return folder


@pytest.fixture(scope="session")
def moonshine_folder(tmp_path_factory):
    """A Moonshine."""
    hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed: the extra hub")
    import sentencepiece

    keras.utils.set_random_seed(0)
    folder, proto = tmp_path_factory.mktemp("moonshine"), io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS]), model_writer=proto, vocab_size=20, hard_vocab_limit=False, minloglevel=2
    )
    tokenizer = hub.models.MoonshineTokenizer(proto.getvalue())
    backbone = hub.models.MoonshineBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        filter_dim=8,
        encoder_num_layers=1,
        decoder_num_layers=2,
        hidden_dim=8,
        intermediate_dim=8,
        encoder_num_heads=2,
        decoder_num_heads=2,
        pad_head_dim_to_multiple_of=8,
    )
    _shake(backbone)
    preprocessor = hub.models.MoonshineAudioToTextPreprocessor(hub.layers.MoonshineAudioConverter(), tokenizer, 12)
    hub.models.MoonshineAudioToText(backbone, preprocessor).save_to_preset(str(folder))
    return folder
