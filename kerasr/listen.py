"""Detect words in a stream of sound, or transcribe it: `python -m kerasr.listen`."""

import json
import math
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from kerasr import audio
from kerasr.config import DecodingConfig, ListenOptions
from kerasr.config.bounds import NotNegative, SampleRate, check_bounds
from kerasr.core.cli import import_quietly, parse, run_command
from kerasr.core.console import isolate, make_console, visible
from kerasr.errors import UserError
from kerasr.presets import presets_line
from kerasr.runs.find import find_run

if TYPE_CHECKING:
    import numpy as np

    from kerasr.streaming.listener import Detection, Listening
    from kerasr.tasks.transcribe import Transcript

DESCRIPTION = """
Detect words as they are spoken, or transcribe: from the microphone, from a recording, or from another program.

  python -m kerasr.listen PRESET                              the microphone (extra `microphone`)
  python -m kerasr.listen runs/2026-11-21-digits-1
  python -m kerasr.listen digits.tflite --file long.wav       a recording, faster than real time
  arecord -t raw -f S16_LE -r 16000 -c 1 | python -m kerasr.listen digits.tflite - --sample-rate 16000
  python -m kerasr.listen PRESET --file long.wav --json       a line of JSON a word, for programs
  python -m kerasr.listen runs/2026-11-21-an4-1 --file long.wav       of a model of sentences: text as it comes

A window of the model's clip length moves over the sound. Train on clips with silence and noise around the word
(--augment.silence 0.3 --augment.noise 0.8): a model trained only on closely cut clips takes parts of words
for other words. A model of sentences writes down what is said as far as it looks ahead, or 4 s, after it was said, and
changes none of it; a pause of a second ends a line.
"""

# Sound is taken in pieces of this length.
CHUNK_SECONDS = 0.1
# The level that fills no bar, in dB of full scale.
QUIET_DB = -60
BAR_WIDTH = 24
NUM_SHOWN = 8


@dataclass(frozen=True)
class ListenConfig:
    """The sound, the model, and when a word is reported."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """A run's folder, a preset's name, or a .tflite file with its .json beside it."""
    source: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="-")] = None
    """- reads the standard input: raw PCM, 16 bits, little-endian, one channel."""
    file: str | None = None
    """Take this recording instead of the microphone."""
    sample_rate: SampleRate | None = None
    """Of the standard input or the microphone, in Hz; the model's where not given."""
    carry_state: bool = False
    """Carry the network's state from chunk to chunk instead of taking windows; docs/streaming.md says which networks
    can, and when it finds as many words."""
    options: Annotated[ListenOptions, tyro.conf.arg(name="")] = field(default_factory=ListenOptions)
    look_ahead_seconds: NotNegative | None = None
    """Of a transcript: sound that must come before a moment is written down, in seconds. Where not given, as far as the
    network looks ahead, and 4 where it reads clips whole; less is sooner, and worse."""
    decoding: Annotated[DecodingConfig, tyro.conf.arg(name="")] = field(default_factory=DecodingConfig)
    """Of transcripts: with a beam, text comes at each pause."""
    json: bool = False
    """One JSON object a word, a line each; of a transcript one for each growth of `partial`, and at a pause the `text`
    with the words' times and confidences."""


def main(argv: list[str]) -> None:
    """Parse the arguments, then listen until the sound ends or Ctrl-C."""
    config = parse(ListenConfig, argv, command="listen", description=DESCRIPTION + presets_line(voices=False))
    if config.source not in (None, "-"):
        raise UserError(
            "settings-conflict", f"{config.source}: a recording is named with --file; - is the standard input"
        )
    if config.source and config.file:
        raise UserError("settings-conflict", "both --file and - are given: take one of them")
    check_bounds(config)
    if config.file and config.sample_rate:
        raise UserError(
            "settings-conflict", "--sample-rate is of the standard input or the microphone: a file says its own"
        )
    if config.file:
        audio.facts(config.file)
    if not Path(config.model).exists() and not config.model.endswith(".tflite"):
        find_run(config.model)
    import_quietly()
    from kerasr.streaming.listener import listen

    listener = open_listener(config)
    chunks = open_source(config, listener.sample_rate)
    started = time.perf_counter()
    try:
        show(config, listener, listen(listener, chunks))
    except KeyboardInterrupt:
        print(file=sys.stderr)
    took = time.perf_counter() - started
    if config.file and not config.json and listener.seconds:
        print(f"{listener.seconds:.1f} s of sound in {took:.1f} s, {took / listener.seconds:.3f} of real time")


def open_listener(config: ListenConfig) -> "Listening":
    """What listens with the model: for its words, or to what is said.

    Raises:
        UserError: the model cannot be loaded, or used so.
    """
    from kerasr.inference.transcriber import Transcriber
    from kerasr.streaming.frame_outputs import StatefulOutputs
    from kerasr.streaming.listener import Listener, open_run, open_stream_model, stream_model_of

    run = open_run(config.model)
    if run is None or not run.recognition.has_words:
        if config.look_ahead_seconds is not None or config.decoding != DecodingConfig():
            raise UserError(
                "task-unsupported",
                f"{config.model}: --look-ahead-seconds, --lm, --words, --hot-words and --beam are for sentences",
            )
        carry_state = config.carry_state
        if run is None:
            return Listener(open_stream_model(config.model, carry_state=carry_state), config.options)
        return Listener(stream_model_of(run, carry_state=carry_state), config.options)
    if config.options != ListenOptions():
        raise UserError(
            "task-unsupported",
            f"{config.model}: is to {run.task.about()}: --threshold and the times of windows are for models of words; "
            "--look-ahead-seconds is what it takes",
        )
    if config.carry_state and config.look_ahead_seconds is not None:
        raise UserError(
            "settings-conflict",
            "--look-ahead-seconds is of windows: with --carry-state the network looks ahead as it was trained to",
        )
    if config.decoding.tta_speeds != DecodingConfig.tta_speeds:
        raise UserError(
            "settings-conflict", "--tta-speeds: a sound that comes is heard once, as it comes: leave it out"
        )
    run.check_front_end("listening")
    run.decode_with(config.decoding)
    outputs = StatefulOutputs(run) if config.carry_state else None
    return Transcriber(run, live=True, look_ahead=config.look_ahead_seconds, outputs=outputs)


def open_source(config: ListenConfig, sample_rate: int) -> Iterator["np.ndarray"]:
    """Chunks of sound, float32 `(samples,)` at the model's rate."""
    from kerasr.audio.microphone import Microphone

    if config.file:
        return audio.blocks(config.file, sample_rate, CHUNK_SECONDS)
    rate = config.sample_rate or sample_rate
    raw = read_pcm(rate) if config.source else Microphone(rate).chunks(CHUNK_SECONDS)
    convert = audio.resampler(rate, sample_rate)
    return (convert(chunk, False) for chunk in raw)


def read_pcm(sample_rate: int) -> Iterator["np.ndarray"]:
    """The standard input, as it comes: 16 bits, little-endian, one channel."""
    import numpy as np

    # What there is, up to a chunk: who speaks slowly is heard at once.
    size, rest = 2 * max(1, round(CHUNK_SECONDS * sample_rate)), b""
    while data := sys.stdin.buffer.read1(size):  # pyright: ignore[reportAttributeAccessIssue]
        data = rest + data
        whole = len(data) - len(data) % 2
        rest = data[whole:]
        yield np.frombuffer(data[:whole], "<i2").astype(np.float32) / 2**15


def show(config: ListenConfig, listener: "Listening", stream: "Iterator[tuple[np.ndarray, list]]") -> None:
    """What is found, line by line; on a terminal with what is being said, and with the sound's level, below."""
    from rich.live import Live

    console = make_console()
    if config.json or not console.is_terminal:
        partial = ""
        for _, found in stream:
            for one in found:
                text = json.dumps(listener.to_json(one), ensure_ascii=False) if config.json else line(one)
                print(visible(text), flush=True)
            if config.json and listener.partial not in ("", partial):
                print(json.dumps({"partial": listener.partial}, ensure_ascii=False), flush=True)
            partial = listener.partial
        return
    view = View(listener)
    with Live(view.draw(), console=console, refresh_per_second=10) as live:
        for chunk, found in stream:
            view.process(chunk, found)
            live.update(view.draw())


def line(found: "Detection | Transcript") -> str:
    """`   1:02.3  seven  97%`; of a transcript when its first word begins, and its text."""
    from kerasr.streaming.listener import Detection

    if isinstance(found, Detection):
        return f"{clock(found.seconds)}  {isolate(found.word)}  {found.probability:.0%}"
    return f"{clock(found.words[0].start)}  {isolate(found.text)}"


def clock(seconds: float) -> str:
    """`   1:02.3`."""
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes:5.0f}:{seconds:04.1f}"


@dataclass
class View:
    """What was found last, what is being said, and a bar for the sound's level."""

    listener: "Listening"
    last: "deque[Any]" = field(default_factory=lambda: deque(maxlen=NUM_SHOWN))
    level: float = QUIET_DB

    def process(self, chunk: "np.ndarray", found: "Sequence[Any]") -> None:
        """Take in a chunk and what was found in it."""
        self.last.extend(found)
        power = float((chunk**2).mean()) if len(chunk) else 0.0
        self.level = max(QUIET_DB, 10 * math.log10(power + 1e-12))

    def draw(self) -> str:
        """As text."""
        filled = round(BAR_WIDTH * (1 - self.level / QUIET_DB))
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        partial = [f"{'...':>9}  {isolate(self.listener.partial)}"] if self.listener.partial else []
        lines = [*map(line, self.last), *partial, f"{bar} {self.level:4.0f} dB   {self.listener.setting}   Ctrl-C"]
        return "\n".join(lines)


if __name__ == "__main__":
    run_command(main)
