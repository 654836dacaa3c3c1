"""Pretrained models of keras-hub transcribe as their own layers say, step by step and whole."""

import json

import keras
import numpy as np
import pytest
from _errors import raises

from kerasr import audio, predict
from kerasr.config import DecodingConfig
from kerasr.data.manifest import read_manifest
from kerasr.models.hub import read_pretrained
from kerasr.pretrained.generation import generate
from kerasr.pretrained.moonshine import MoonshineDecoder
from kerasr.pretrained.transcriber import cut_windows, load_transcriber
from kerasr.pretrained.whisper import WhisperDecoder


@pytest.fixture(scope="module")
def whisper(whisper_folder):
    return load_transcriber(f"hub:{whisper_folder}")


@pytest.fixture(scope="module")
def noise():
    return (0.1 * np.random.default_rng(1).standard_normal(12_000)).astype(np.float32)


def whole_logits(model, waveform, token_ids):
    """Of each token's successor, by the whole backbone of keras-hub at once: no cache and no step."""
    inputs = {"decoder_token_ids": np.array([token_ids]), "decoder_padding_mask": np.ones((1, len(token_ids)), bool)}
    if model.family == "Whisper":
        inputs["encoder_features"] = np.asarray(model.converter(waveform))[None]
    else:
        inputs["encoder_input_values"] = np.asarray(model.converter(waveform[None]))
        inputs["encoder_padding_mask"] = np.ones((1, len(waveform)), bool)
    hidden = model.backbone(inputs)["decoder_sequence_output"]
    return keras.ops.convert_to_numpy(model.backbone.token_embedding(hidden, reverse=True))[0]


@pytest.mark.parametrize("family", ["whisper", "moonshine"])
def test_steps_are_those_of_the_whole_model(family, noise, request):
    model = read_pretrained(f"hub:{request.getfixturevalue(f'{family}_folder')}")
    decoder = (WhisperDecoder if family == "whisper" else MoonshineDecoder)(model)
    state, prompt = decoder.begin(noise)
    token_ids = [*prompt, 3, 1, 2, 5]
    found = []
    for place, token in enumerate(token_ids):
        # (Two texts from here on, each of which goes on from the only one.)
        rows = 2 if place >= len(prompt) else 1
        state = state.pick(np.zeros(rows, int))
        logits, state = decoder.step(np.full(rows, token), place, state)
        assert logits == pytest.approx(np.repeat(logits[:1], rows, axis=0), abs=1e-4)
        found.append(logits[0])
    assert np.array(found) == pytest.approx(whole_logits(model, noise, token_ids), abs=1e-3)


def test_greedy_is_the_likeliest_token_at_each_step_and_a_beam_is_no_worse(whisper_folder, noise):
    model = read_pretrained(f"hub:{whisper_folder}")
    decoder = WhisperDecoder(model)
    _, token_ids = decoder.begin(noise)
    begun = len(token_ids)
    assert begun == 4
    assert token_ids[1] in decoder.languages
    while token_ids[-1] != decoder.end and len(token_ids) < begun + decoder.max_tokens(len(noise)):
        token_ids.append(int(decoder.allowed(whole_logits(model, noise, token_ids))[-1].argmax()))
    greedy = generate(decoder, noise)
    assert [*greedy.token_ids, decoder.end][: len(token_ids) - begun] == token_ids[begun:]
    assert generate(decoder, noise, beam=4).mean_log_prob >= greedy.mean_log_prob - 1e-6


@pytest.mark.full
def test_moonshine_writes_a_text(moonshine_folder, noise):
    answer = load_transcriber(f"hub:{moonshine_folder}").predict(noise)
    assert answer.text
    assert 0 < answer.confidence < 1


def test_a_recording_longer_than_the_model_reads_goes_in_windows_cut_where_it_is_quiet(whisper, noise):
    quiet = np.concatenate([noise, np.zeros(4000, np.float32), noise])
    parts = list(cut_windows(np.split(quiet, [5000]), 16_000, 16_000))
    assert len(parts) == 2
    assert 12_000 < len(parts[0]) < 16_000
    assert np.concatenate(parts) == pytest.approx(quiet)
    answer = whisper.predict(quiet)
    assert (answer.start, answer.end) == (0, len(quiet) / 16_000)
    assert answer.text == " ".join(whisper.predict(part).text for part in parts).strip()
    assert 0 < answer.confidence < 1


def test_what_a_pretrained_model_does_not_take_is_said(whisper, whisper_folder, tmp_path):
    for options in (DecodingConfig(words="words.txt"), DecodingConfig(hot_words="kerasr")):
        with raises("task-unsupported", "--beam"):
            whisper.decode_with(options)
    with raises("hub-model-not-found", str(tmp_path)):
        load_transcriber(f"hub:{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    with raises("hub-model-not-found", str(tmp_path)):
        load_transcriber(f"hub:{tmp_path}")


def test_predict_takes_it_and_its_texts_make_a_manifest_to_train_on(whisper, whisper_folder, noise, tmp_path, capsys):
    (tmp_path / "clips").mkdir()
    audio.write(str(tmp_path / "clips" / "1.wav"), noise, 16_000)
    labels = tmp_path / "labels.csv"
    words = f"predict hub:{whisper_folder} {tmp_path / 'clips'} --json --manifest {labels}".split()
    predict.main(words[1:])
    answer = json.loads(capsys.readouterr().out)
    assert answer["text"] == whisper.predict(str(tmp_path / "clips" / "1.wav")).text
    (item,) = read_manifest(labels).utterances
    assert item.text == answer["text"]
    assert item.extra == {"label_source": "pseudo", "confidence": f"{answer['confidence']:.3f}"}
