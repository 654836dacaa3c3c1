"""Take recordings of words from the microphone: `python -m kerasr.record`."""

import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from kerasr.config.bounds import Count, Positive, check_bounds
from kerasr.core.cli import command_line, parse, run_command
from kerasr.core.console import isolate, make_console
from kerasr.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

DESCRIPTION = """
Take recordings from the microphone, word by word in a shuffled order, into a folder to train on.

  python -m kerasr.record my_words/ --words "yes,no"                  ten of each
  python -m kerasr.record my_words/ --words "yes,no" --speaker anna   the next person
  python -m kerasr.train --data my_words/

Each recording is trimmed, and asked for again where it is empty, too quiet, too loud or cut off. Stop when you like:
the same command goes on with what is missing. Needs the extra `microphone` (`kerasr env` says how to install it).
"""

KEYS = "[Enter] record   [p] play the last   [r] take it again   [s] skip   [q] stop"

# Pressing Enter is heard too: so much is cut off, in seconds.
CLICK_SECONDS = 0.15

# What lies this far below the loudest is silence; so much of it is left around the word, in seconds.
SILENCE_DB = 30
MARGIN_SECONDS = 0.1

# Share of full scale: a peak below is no voice, or one too far away; samples above are cut flat.
QUIET, LOUD = 0.02, 0.99
SHORTEST_SECONDS = 0.08

# What no file may be called on one system or another.
_NO_NAME = re.compile(r'[/\\:*?"<>|\x00-\x1f]')

_BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class RecordConfig:
    """What to record, and where it goes."""

    folder: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FOLDER")]
    """Receives one sub-folder a word."""
    words: str
    """The words, separated by commas."""
    speaker: str | None = None
    """Who speaks; the recordings carry the name, so that a training can hold speakers out. Asked for where None."""
    count: Count = 10
    """Recordings of each word by this speaker, those that are there counted in."""
    seconds: Positive = 1.5
    """Time to say a word, in seconds."""
    sample_rate: Count = 16000
    """Of the recordings, in Hz."""
    seed: int = 0
    """Another seed asks in another order."""

    def __post_init__(self) -> None:
        check_bounds(self)


def main(argv: list[str]) -> None:
    """Parse the arguments, then record."""
    config = parse(RecordConfig, argv, command="record", description=DESCRIPTION, extensible=False)
    words = parse_words(config.words)
    from kerasr.audio.microphone import Loudspeaker, Microphone

    microphone = Microphone(config.sample_rate)
    # It takes seconds, for which nobody should wait between two words.
    import librosa.effects  # noqa: F401

    def play(waveform: "np.ndarray") -> None:
        loudspeaker = Loudspeaker()
        loudspeaker.play(waveform, config.sample_rate)
        loudspeaker.wait()

    console = make_console(soft_wrap=True)
    record_words(config, words, record=microphone.record, play=play, ask=input, console=console)
    say_what_next(config, words, console)


def say_what_next(config: RecordConfig, words: list[str], console: "Console") -> None:
    """Say what to type next: what records the next speaker, as long as a split needs more, and what trains."""
    from kerasr.data.corpora.speakers import parse_take
    from kerasr.data.manifest import SPLITS

    names = [name for word in words for name in _names_in(os.path.join(config.folder, word))]
    speakers = {take[0] for name in names if (take := parse_take(name))}
    if not speakers:
        return
    if len(speakers) < len(SPLITS):
        console.print(
            f"so far by {', '.join(sorted(speakers))}; of {len(SPLITS)} speakers, the test is of an unseen one"
        )
        console.print(f"next    {command_line('record', config.folder, '--words', config.words)}")
    if len(words) > 1:
        console.print(f"next    {command_line('train', '--data', config.folder)}")


def _names_in(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def parse_words(listed: str) -> list[str]:
    """The words in `yes,no`.

    Raises:
        UserError: there are none, one is empty or there twice, or no folder can be named after it.
    """
    words = [word.strip() for word in listed.split(",")]
    for word in words:
        if not word or word.startswith(".") or _NO_NAME.search(word):
            raise UserError(
                "name-invalid", f"--words {listed}: no folder can be called {word!r}; name the words as in yes,no"
            )
        if words.count(word) > 1:
            raise UserError("word-twice", f"--words {listed}: {word!r} is there twice; name each word once")
    return words


def record_words(
    config: RecordConfig,
    words: list[str],
    *,
    record: Callable[[float], "np.ndarray"],
    play: Callable[["np.ndarray"], None],
    ask: Callable[[str], str],
    console: "Console",
) -> int:
    """Ask for each word until there are `count` recordings of each, or the speaker stops.

    Args:
        config: what to record.
        words: the words of it.
        record: records for a number of seconds and returns float32 `(samples,)`.
        play: plays such a waveform.
        ask: shows a prompt and returns what is typed.
        console: where to write.

    Returns:
        The number of recordings taken.
    """
    from kerasr import audio
    from kerasr.data.corpora.speakers import take_name

    speaker = _speaker(config, ask)
    wanted = _missing(config, words, speaker)
    console.print(f"{len(wanted)} recordings to take by {speaker}.   {KEYS}", markup=False)
    done: list[str] = []
    position = 0
    while position < len(wanted):
        word, number = wanted[position]
        try:
            key = ask(f"{position + 1} of {len(wanted)}   say: {isolate(word)}   ").strip().lower()
        except EOFError:
            break
        if key == "q":
            break
        if key == "s":
            position += 1
        elif key in ("p", "r"):
            if not done:
                console.print("nothing is recorded yet", style="yellow")
            elif key == "p":
                play(audio.read(done[-1], config.sample_rate)[0])
            else:
                position = wanted.index(_word_and_number(done[-1]))
                os.unlink(done.pop())
        elif key:
            console.print(KEYS, markup=False)
        else:
            path = os.path.join(config.folder, word, take_name(speaker, number))
            if _take(config, path, record, console):
                done.append(path)
                position += 1
    console.print(f"{len(done)} recorded into {config.folder}", markup=False)
    return len(done)


def _take(config: RecordConfig, path: str, record: Callable[[float], "np.ndarray"], console: "Console") -> bool:
    """Record once, and write it unless it must be taken again; whether it was written."""
    from kerasr import audio

    recorded = record(config.seconds + CLICK_SECONDS)[round(CLICK_SECONDS * config.sample_rate) :]
    clip, problem = check_take(recorded, config.sample_rate)
    if problem:
        console.print(f"{problem}: once more", style="yellow")
        return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    audio.write(path, clip, config.sample_rate)
    console.print(f"  {draw(clip)}  {len(clip) / config.sample_rate:.2f} s", markup=False)
    return True


def _speaker(config: RecordConfig, ask: Callable[[str], str]) -> str:
    """Who speaks, as part of a file's name."""
    try:
        speaker = (config.speaker if config.speaker is not None else ask("Who speaks? ")).strip()
    except EOFError:
        raise UserError("setting-missing", "nobody can be asked who speaks: say it with --speaker") from None
    if not speaker or speaker.startswith(".") or _NO_NAME.search(speaker):
        raise UserError("name-invalid", f"--speaker {speaker!r}: no file can be called so; use letters and digits")
    return speaker


def _missing(config: RecordConfig, words: list[str], speaker: str) -> list[tuple[str, int]]:
    """Words and numbers of the recordings that this speaker has yet to make, shuffled."""
    from kerasr.data.corpora.speakers import take_name

    missing = []
    for word in words:
        folder = os.path.join(config.folder, word)
        there = set(_names_in(folder))
        numbers = (number for number in range(1, config.count + 1) if take_name(speaker, number) not in there)
        missing += [(word, number) for number in numbers]
    random.Random(config.seed).shuffle(missing)
    return missing


def _word_and_number(path: str) -> tuple[str, int]:
    """What `_missing` listed, from the path that was made of it."""
    from kerasr.data.corpora.speakers import parse_take

    _, number = parse_take(os.path.basename(path)) or ("", 0)
    return os.path.basename(os.path.dirname(path)), number


def check_take(recorded: "np.ndarray", sample_rate: int) -> tuple["np.ndarray", str]:
    """The word in a recording, and what is wrong with it.

    Args:
        recorded: float32 `(samples,)`.
        sample_rate: in Hz.

    Returns:
        The waveform without the silence around it, and "" or the reason to take it again.
    """
    import numpy as np

    from kerasr.audio.silence import find_sound

    peak = np.abs(recorded).max(initial=0.0)
    if peak < QUIET:
        return recorded, "no sound: is the microphone muted?" if peak < QUIET / 10 else "too quiet: come closer"
    if (np.abs(recorded) >= LOUD).sum() > 2:
        return recorded, "too loud: it is cut flat; go further away"
    start, end = find_sound(recorded, SILENCE_DB, frame_length=512, hop_length=128)
    if end - start < SHORTEST_SECONDS * sample_rate:
        return recorded, "only a click was recorded"
    if end >= len(recorded):
        return recorded, "cut off at the end, or the room is loud: speak sooner, or raise --seconds"
    margin = round(MARGIN_SECONDS * sample_rate)
    return recorded[max(0, start - margin) : end + margin], ""


def draw(waveform: "np.ndarray", width: int = 40) -> str:
    """The loudness of `waveform` `(samples,)` over time, as a line of bars."""
    import numpy as np

    levels = np.array([np.abs(part).max(initial=0.0) for part in np.array_split(waveform, width)])
    heights = np.ceil(levels / levels.max() * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[height] for height in heights)


if __name__ == "__main__":
    run_command(main)
