"""Texts said by a voice: their lengths, long ones in parts, and those that cannot be said."""

import contextlib
import sys
import types
from itertools import islice, pairwise

import numpy as np
import pytest
import soundfile
from _errors import raises

from kerasr import load_run, synthesize
from kerasr.audio.inverse import num_samples
from kerasr.inference.speech import MARK, Speech, SpeechFile
from kerasr.inference.synthesizer import MOST_CHARACTERS, split_text


@pytest.fixture(scope="module")
def synthesizer(voice_run):
    return voice_run.synthesizer


def test_speech_is_as_long_as_its_tokens(voice_run):
    speech = voice_run.synthesize("Low, top!", voice="speaker1")
    assert (speech.text, speech.voice) == ("low top", "speaker1")
    assert "".join(token for token, _, _ in speech.alignment) == " low top "
    assert all(end == start for (_, _, end), (_, start, _) in pairwise(speech.alignment))
    assert (speech.alignment[0][1], speech.alignment[-1][2]) == (0.0, speech.seconds)
    assert len(speech.waveform) == num_samples(len(speech.log_mel), voice_run.config.features)
    assert np.isfinite(speech.waveform).all()


def test_speed_shortens_and_pitch_does_not(synthesizer):
    usual, slow, high = (
        next(synthesizer.say("low mid top", **options)) for options in ({}, {"speed": 0.5}, {"pitch": 3.0})
    )
    assert slow.alignment[-1][2] == pytest.approx(2 * usual.alignment[-1][2], rel=0.1)
    assert high.seconds == pytest.approx(usual.seconds, rel=0.05)


def test_voices_differ(synthesizer):
    one, other = (next(synthesizer.say("mid", voice=voice)) for voice in ("speaker0", "speaker1"))
    frames = min(len(one.log_mel), len(other.log_mel))
    assert np.abs(one.log_mel[:frames] - other.log_mel[:frames]).max() > 1e-3
    # A mixture of one is that one, and between two is another.
    same, between = (next(synthesizer.say("mid", {"speaker0": share, "speaker1": 1.0 - share})) for share in (1.0, 0.6))
    np.testing.assert_allclose(same.log_mel, one.log_mel, rtol=1e-4, atol=1e-3)
    frames = min(frames, len(between.log_mel))
    assert all(np.abs(between.log_mel[:frames] - end.log_mel[:frames]).max() > 1e-3 for end in (one, other))
    assert (same.voice, between.voice) == ("speaker0", "speaker0")


def test_durations_are_drawn_anew(synthesizer):
    usual, first, again, other = (
        [end - start for _, start, end in next(synthesizer.say("low mid", duration_noise=noise, seed=seed)).alignment]
        for noise, seed in ((0.0, 0), (0.5, 0), (0.5, 0), (0.5, 1))
    )
    assert first == again
    assert len({*map(tuple, (usual, first, other))}) == 3


@pytest.mark.parametrize(
    ("code", "text", "options"),
    [
        ("text-empty", "", {}),
        ("text-empty", "?! ...", {}),
        ("text-empty", "\U0001f600\x00\x07", {}),
        ("text-unwritable", "мир", {}),
        ("text-unwritable", "low. mid? xylophone!", {}),
        ("voice-not-found", "low", {"voice": "nobody"}),
        ("voice-not-found", "low", {"voice": {"speaker0": 0.5, "nobody": 0.5}}),
        ("setting-out-of-range", "low", {"speed": 0.0}),
        ("setting-out-of-range", "low", {"speed": float("nan")}),
        ("setting-out-of-range", "low", {"pitch": 40.0}),
    ],
)
def test_what_cannot_be_said_is_refused_before_a_sound(code, text, options, synthesizer):
    with raises(code):
        next(synthesizer.say(text, **options))


def test_a_long_text_is_said_part_by_part(synthesizer):
    text = 25_000 * "mid "
    parts = [*split_text(text)]
    assert max(map(len, parts)) <= MOST_CHARACTERS
    assert " ".join(parts).split() == text.split()
    assert [*split_text("a" * 450)] == ["a" * 200, "a" * 200, "a" * 50]
    first = "now that she had come, as many had hoped, "
    assert [*split_text(first + "b" * 80 + ", that. So")] == [first.strip(), "b" * 80 + ", that.", "So"]
    assert [*split_text("so, it is. " + first)] == ["so, it is.", first.strip()]
    joined = Speech.join([*islice(synthesizer.say("low. mid? top"), 2)])
    assert joined.text == "low mid"
    assert all(end <= start + 1e-9 for (_, _, end), (_, start, _) in pairwise(joined.alignment))


def test_a_run_of_words_says_nothing(tone_run):
    with raises("task-unsupported"):
        load_run(tone_run).synthesize("low")


def test_a_file_says_that_it_is_synthetic_and_is_whole_or_not_there(synthesizer, tmp_path):
    speech = next(synthesizer.say("low"))
    speech.save(tmp_path / "low.flac")
    with soundfile.SoundFile(tmp_path / "low.flac") as file:
        assert (file.comment, file.samplerate, file.frames) == (MARK, speech.sample_rate, len(speech.waveform))
    with contextlib.suppress(ZeroDivisionError), SpeechFile(tmp_path / "half.wav") as file:
        file.write(speech)
        raise ZeroDivisionError
    with raises("format-unsupported", match="low.docx"):
        speech.save(tmp_path / "low.docx")
    assert [path.name for path in tmp_path.iterdir()] == ["low.flac"]


def test_parts_are_played_as_they_are_made(voice_run, monkeypatch, tmp_path):
    """A stand-in for sounddevice: each part waits for the one before it, and the command for the last."""
    heard = []
    device = types.SimpleNamespace(
        check_output_settings=lambda: None,
        play=lambda waveform, rate: heard.append((len(waveform), rate)),
        wait=lambda: heard.append("end"),
        PortAudioError=OSError,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    monkeypatch.setattr(synthesize, "require_extra", lambda *_: None)
    out = tmp_path / "out.wav"
    synthesize.main([str(voice_run.path), "low. mid", "--play", "--to", str(out)])
    rate = voice_run.config.features.sample_rate
    parts = [(len(voice_run.synthesize(text).waveform), rate) for text in ("low", "mid")]
    assert heard == ["end", parts[0], "end", parts[1], "end"]
    assert soundfile.info(out).frames == parts[0][0] + parts[1][0]

    def refuse(*_):
        raise OSError("no default output device")

    device.check_output_settings = refuse
    with raises("loudspeaker-unavailable"):
        synthesize.main([str(voice_run.path), "low", "--play"])


def test_the_command_speaks(voice_run, tmp_path, capsys):
    out = tmp_path / "low.wav"
    synthesize.main([str(voice_run.path), "low top", "--to", str(out), "--voice", "speaker0", "--json"])
    assert '"text": "low top"' in capsys.readouterr().out
    assert soundfile.info(out).duration > 0
    with raises("setting-missing"):
        synthesize.main([str(voice_run.path), "low"])
    with raises("text-unwritable"):
        synthesize.main([str(voice_run.path), "zzz", "--to", str(tmp_path / "none.wav")])
    assert not (tmp_path / "none.wav").exists()
