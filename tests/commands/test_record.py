"""Recordings from the microphone: asked for until they are good, kept with their speaker, never lost."""

import io
import sys
import types

import numpy as np
import pytest
from _errors import raises
from rich.console import Console

from kerasr import audio, record
from kerasr.core import cli
from kerasr.data import load_corpus
from kerasr.record import CLICK_SECONDS, RecordConfig, check_take, parse_words, record_words

RATE = 16000
SECONDS = 1.5


def heard(start=0.4, stop=0.9, level=0.3, *, noise=0.001):
    """A second and a half with a tone in it, behind the click of the key."""
    rng = np.random.default_rng(0)
    time = np.arange(round((SECONDS + CLICK_SECONDS) * RATE)) / RATE - CLICK_SECONDS
    waveform = np.where((time >= start) & (time < stop), level * np.sin(2 * np.pi * 440 * time), 0)
    waveform[: round(CLICK_SECONDS * RATE / 2)] = 1.0
    return (waveform + noise * rng.standard_normal(len(time))).astype(np.float32)


class Studio:
    """A microphone that gives what it was told to, and a person who presses keys."""

    def __init__(self, folder, keys, takes=(), **settings):
        self.keys, self.takes = list(keys), list(takes)
        self.prompts, self.played, self.asked_seconds = [], [], set()
        self.screen = io.StringIO()
        config = RecordConfig(str(folder), "yes,no", **{"speaker": "anna", "count": 2, **settings})
        self.count = record_words(
            config,
            parse_words(config.words),
            record=self.record,
            play=self.played.append,
            ask=self.ask,
            console=Console(file=self.screen, width=200),
        )

    def record(self, seconds):
        self.asked_seconds.add(seconds)
        return self.takes.pop(0) if self.takes else heard()

    def ask(self, prompt):
        self.prompts.append(prompt)
        if not self.keys:
            raise EOFError
        return self.keys.pop(0)

    @property
    def words(self):
        return [prompt.split("say: ")[1].strip() for prompt in self.prompts]


def names(folder):
    return sorted(f"{path.parent.name}/{path.name}" for path in folder.rglob("*.wav"))


def test_each_word_is_recorded_trimmed_and_keeps_its_speaker(tmp_path):
    studio = Studio(tmp_path, [""] * 4)
    assert studio.count == 4
    assert studio.asked_seconds == {SECONDS + CLICK_SECONDS}
    assert sorted(studio.words) == ["no", "no", "yes", "yes"]
    assert names(tmp_path) == [f"{word}/anna_take_{number}.wav" for word in ("no", "yes") for number in (1, 2)]
    waveform, rate = audio.read(tmp_path / "yes" / "anna_take_1.wav")
    assert rate == RATE
    # Half a second of tone, a tenth on either side, and neither the click nor the rest.
    assert 0.65 < len(waveform) / RATE < 0.75
    assert np.abs(waveform).max() < 0.35
    Studio(tmp_path, [""] * 4, speaker="Björn 2")
    corpus = load_corpus(str(tmp_path))
    assert corpus.speakers == ("Björn 2", "anna")
    assert corpus.labels == ("no", "yes")
    assert "2 of the" not in studio.screen.getvalue()


def test_the_order_is_shuffled_by_the_seed(tmp_path):
    orders = {tuple(Studio(tmp_path / str(seed), [""] * 16, count=8, seed=seed).words) for seed in range(3)}
    assert len(orders) == 3
    assert Studio(tmp_path / "again", [""] * 16, count=8, seed=0).words in [list(order) for order in orders]


def test_it_goes_on_with_what_is_missing(tmp_path):
    first = Studio(tmp_path, ["", "", "q"], count=3)
    assert (first.count, len(names(tmp_path))) == (2, 2)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.wav")}
    second = Studio(tmp_path, [""] * 9, [heard(level=0.2)] * 9, count=3)
    assert second.count == 4
    assert len(names(tmp_path)) == 6
    assert all(path.read_bytes() == content for path, content in before.items())
    assert Studio(tmp_path, [], count=3).count == 0


@pytest.mark.parametrize(
    ("take", "said"),
    [
        (heard(level=0.0, noise=0.0002), "no sound"),
        (heard(level=0.01), "too quiet"),
        (heard(level=1.5), "too loud"),
        (heard(0.5, 0.51, 0.5), "only a click"),
        (heard(1.2, 1.5), "cut off at the end"),
    ],
)
def test_a_bad_take_is_asked_for_again(tmp_path, take, said):
    studio = Studio(tmp_path, [""] * 5, [take])
    assert said in studio.screen.getvalue()
    assert studio.words[0] == studio.words[1]
    assert studio.count == 4


def test_keys(tmp_path):
    studio = Studio(tmp_path, ["p", "", "p", "r", "", "s", "?", "", "r", "q"], [heard(), heard(level=0.2)])
    screen = studio.screen.getvalue()
    assert "nothing is recorded yet" in screen
    assert len(studio.played) == 1
    assert np.abs(studio.played[0]).max() == pytest.approx(0.3, abs=0.01)
    # The first was taken again, the second skipped, the third taken and thrown away.
    assert studio.count == 1
    (path,) = tmp_path.rglob("*.wav")
    assert np.abs(audio.read(path)[0]).max() == pytest.approx(0.2, abs=0.01)
    assert screen.count("[Enter] record") == 2


def test_the_speaker_is_asked_for(tmp_path):
    studio = Studio(tmp_path, [" zoë ", "", "q"], speaker=None)
    assert studio.prompts[0] == "Who speaks? "
    assert names(tmp_path)[0].endswith("/zoë_take_1.wav")
    with raises("setting-missing", "--speaker"):
        Studio(tmp_path, [], speaker=None)
    with raises("name-invalid"):
        Studio(tmp_path, [], speaker="../anna")


@pytest.mark.parametrize("listed", ["", "yes,,no", "yes,yes", "../yes", "and/or", ".hidden"])
def test_words_that_cannot_be_recorded(listed):
    with raises("word-twice" if listed == "yes,yes" else "name-invalid", "--words"):
        parse_words(listed)


def test_a_quiet_voice_is_found_in_noise():
    clip, problem = check_take(heard(level=0.1, noise=0.0005)[round(CLICK_SECONDS * RATE) :], RATE)
    assert not problem
    assert 0.6 < len(clip) / RATE < 0.8
    assert len(record.draw(clip)) == 40


def test_without_the_package(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setattr(sys, "argv", ["record", str(tmp_path), "--words", "yes,no"])
    with pytest.raises(SystemExit) as end:
        cli.run_command(record.main)
    err = capsys.readouterr().err
    assert end.value.code == 2
    assert 'pip install "sounddevice>=' in err
    assert err.count("\n") == 1


def test_the_command_drives_the_sound_device(monkeypatch, tmp_path, capsys):
    """sounddevice's own functions, which a stand-in takes the place of: this test needs no microphone."""

    class PortAudioError(Exception):
        pass

    def rec(frames, **settings):
        assert settings == {"samplerate": RATE, "channels": 1, "dtype": "float32", "blocking": True}
        return heard()[:frames, None]

    played = []
    device = types.SimpleNamespace(
        PortAudioError=PortAudioError,
        check_input_settings=lambda **_: None,
        rec=rec,
        check_output_settings=lambda: None,
        play=lambda waveform, rate: played.append((len(waveform), rate)),
        wait=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    keys = iter(["", "p", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(keys))
    record.main([str(tmp_path), "--words", "yes,no", "--speaker", "anna", "--count", "1"])
    commands = f"record {tmp_path} --words yes,no", f"train --data {tmp_path}"
    assert capsys.readouterr().out.endswith("".join(f"next    python -m kerasr.{command}\n" for command in commands))
    assert names(tmp_path) == ["no/anna_take_1.wav", "yes/anna_take_1.wav"]
    assert len(played) == 1

    def refuse(**_):
        raise PortAudioError("no default input device")

    device.check_input_settings = refuse
    with raises("microphone-unavailable"):
        record.main([str(tmp_path), "--words", "yes,no", "--speaker", "anna"])
