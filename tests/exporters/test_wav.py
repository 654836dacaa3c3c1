"""WAV files read in the graph: as `kerasr.audio` reads them, or an InvalidArgument that says what came."""

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from kerasr import audio
from kerasr.config import FeatureSpec
from kerasr.data.clips import read_clip
from kerasr.exporters.wav import RATES, decode_wavs

SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


@pytest.fixture(scope="module")
def decode():
    """A function per rate, from files' bytes to waveforms and their lengths."""
    made = {}

    def run(contents, sample_rate):
        if sample_rate not in made:
            made[sample_rate] = tf.function(
                lambda wav: decode_wavs(wav, sample_rate),
                input_signature=[tf.TensorSpec([None], tf.string)],
                autograph=False,
            )
        waveform, num_samples = made[sample_rate](tf.constant(contents, tf.string))
        return waveform.numpy(), num_samples.numpy()

    return run


def speechlike(rng, size, channels=1):
    """Noise that fades in and out, `(size, channels)`."""
    slow = np.cumsum(rng.standard_normal((size, channels)), axis=0)
    return 0.5 * np.hanning(size)[:, None] * slow / np.abs(slow).max()


def wav_bytes(waveform, rate, subtype="PCM_16", form="WAV"):
    """A WAV file in memory."""
    memory = io.BytesIO()
    soundfile.write(memory, waveform, rate, subtype=subtype, format=form)
    return memory.getvalue()


def pcm(samples=b"\0\0\1\0", *, tag=1, channels=1, rate=8000, block=2, bits=16, before=b"", size=None):
    """A header and samples, with any field otherwise than it should be."""
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    chunks = before + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"data" + struct.pack("<I", len(samples) if size is None else size) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_every_width_is_read_as_libsndfile_reads_it(decode, rng, tmp_path, subtype, form):
    contents, expected = [], []
    for size, channels in ((1, 1), (900, 2), (2000, 1), (70, 6)):
        contents.append(wav_bytes(speechlike(rng, size, channels), 8000, subtype, form))
        path = tmp_path / f"{size}.wav"
        path.write_bytes(contents[-1])
        expected.append(audio.read(path)[0])
    waveform, num_samples = decode(contents, 8000)
    assert num_samples.tolist() == [1, 900, 2000, 70]
    for row, clip in zip(waveform, expected, strict=True):
        np.testing.assert_allclose(row[: len(clip)], clip, atol=1e-6)
        assert not row[len(clip) :].any()


@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_every_rate_becomes_the_models(decode, rng, sample_rate):
    for rate in RATES:
        clip = speechlike(rng, rate // 2)[:, 0].astype("float32")
        waveform, num_samples = decode([wav_bytes(clip, rate, "FLOAT")], sample_rate)
        expected = audio.resample(clip, rate, sample_rate)
        assert num_samples.tolist() == [len(expected)]
        np.testing.assert_allclose(waveform[0], expected, atol=1e-4)


def test_a_file_is_read_alike_in_any_company(decode, rng):
    contents = [wav_bytes(speechlike(rng, size), rate) for size, rate in ((4000, 8000), (9000, 44100), (10, 16000))]
    together, num_samples = decode(contents, 8000)
    for row, size, content in zip(together, num_samples, contents, strict=True):
        alone, _ = decode([content], 8000)
        np.testing.assert_array_equal(row[:size], alone[0])


def test_of_a_long_file_that_part_is_kept_which_prediction_hears(rng, tmp_path):
    long = speechlike(rng, 70 * 8000)
    (tmp_path / "long.wav").write_bytes(wav_bytes(long, 8000))
    contents = [(tmp_path / "long.wav").read_bytes(), wav_bytes(speechlike(rng, 900), 8000)]
    waveform, num_samples = decode_wavs(tf.constant(contents), 8000, 1.0)
    assert num_samples.numpy().tolist() == [8000, 900]
    assert waveform.shape == (2, 8000)
    expected = read_clip(str(tmp_path / "long.wav"), FeatureSpec(sample_rate=8000, clip_seconds=1.0))
    np.testing.assert_allclose(waveform[0], expected, atol=1e-6)


def test_headers_that_writers_really_write(decode):
    odd_chunk = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    for content in (
        pcm(before=odd_chunk),
        pcm(size=0xFFFFFFFF),  # to a pipe
        pcm(size=1000),  # cut short
        pcm(b"\0\0\1\0\7"),  # half a sample more
        pcm() + odd_chunk,
    ):
        waveform, _ = decode([content], 8000)
        np.testing.assert_allclose(waveform, [[0, 1 / 2**15]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes that do not begin"),
        (bytes(range(128, 256)), "128 bytes"),
        (b"RIFF", "4 bytes"),
        (b"OggS" + bytes(100), "104 bytes"),
        (b"RIFF\0\0\0\0WAVE", "no header"),
        (pcm()[:40], "no samples"),
        (pcm(b""), "no samples"),
        (pcm(tag=7, bits=8, block=1), "format 7 with 8 bits"),
        (pcm(bits=12), "format 1 with 12 bits"),
        (pcm(channels=0), "hold 0 channels"),
        (pcm(block=3), "a block of 3 bytes"),
        (pcm(rate=12345), "12345"),
        (pcm(struct.pack("<f", np.nan), tag=3, bits=32, block=4), "not a finite number"),
        (pcm(struct.pack("<2f", 1e19, -1e19), tag=3, channels=2, bits=32, block=8), "beyond 100 times full scale"),
        (pcm(struct.pack("<d", -1e300), tag=3, bits=64, block=8), "beyond 100 times full scale"),
        (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 100_000, "no header"),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_told(decode, content, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        decode([content], 8000)


def test_a_damaged_file_is_read_or_refused(decode, rng):
    whole = wav_bytes(speechlike(rng, 200, 2), 16000, "PCM_24", "WAVEX")
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole[: rng.integers(1, len(whole))])
        for place in rng.integers(0, min(len(damaged), 100), rng.integers(0, 4)):
            damaged[place] = rng.integers(256)
        try:
            waveform, _ = decode([bytes(damaged)], 8000)
        except tf.errors.InvalidArgumentError as error:
            refused += "wav:" in error.message
        else:
            assert np.isfinite(waveform).all()
    assert 0 < refused < 400
