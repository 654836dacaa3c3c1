"""Say texts with a voice: `python -m kerasr.synthesize`."""

import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated

import tyro

from kerasr.audio.microphone import Loudspeaker
from kerasr.config.bounds import check_bounds
from kerasr.core.cli import import_quietly, parse, run_command
from kerasr.core.extras import require_extra
from kerasr.core.timing import format_seconds
from kerasr.errors import UserError
from kerasr.presets import presets_line
from kerasr.runs.find import find_run

DESCRIPTION = """
Say a text: a sound file of it, or the loudspeaker.

  python -m kerasr.synthesize runs/2026-12-01-grid-voice-1 "place green by b nine again" --to out.wav
  python -m kerasr.synthesize runs/2026-12-01-grid-voice-1 "bin blue at f two now" --speed 0.9 --pitch 2 --play
  cat book.txt | python -m kerasr.synthesize RUN - --verbalize en --to book.flac

A long text is said a part at a time, and memory stays as it is. The file says of itself that nobody has spoken it. A
person's voice is theirs: make one of somebody else's recordings with their consent alone.
"""


@dataclass(frozen=True)
class SynthesizeConfig:
    """The text, the voice, and where the sound goes."""

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """The folder of a run of --task synthesize (`kerasr runs` lists them), or a preset's name."""
    text: tyro.conf.Positional[str]
    """What is said; - reads it from the standard input."""
    to: str | None = None
    """The sound file, whose suffix is its format: .wav, .flac, .ogg."""
    play: bool = False
    """Play it (extra `microphone`)."""
    vocoder: str | None = None
    """A run of the recipe vocoder with the same front-end, which makes the sound; Griffin-Lim where not given."""
    voice: str | None = None
    """Who speaks, of a run with several voices; the first where not given."""
    verbalize: str | None = None
    """Say numbers, dates, amounts and abbreviations as they are read aloud in this language (en, de, ... of
    nemo_text_processing; extra `verbalize`)."""
    speed: float = 1.0
    """How fast, 1 as learnt: 0.25 to 4."""
    pitch: float = 0.0
    """Semitones higher, or below 0 lower: as with another vocal tract, timbre moves along."""
    json: bool = False
    """Print what was said as JSON, a line a part: the text, its length, and when each token sounds."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.to is None and not self.play:
            raise UserError("setting-missing", "say where the sound goes: --to out.wav, or --play")


def main(argv: list[str]) -> None:
    """Parse the arguments, speak, and say what was said."""
    config = parse(SynthesizeConfig, argv, command="synthesize", description=DESCRIPTION + presets_line(voices=True))
    find_run(config.run)
    if config.vocoder is not None:
        find_run(config.vocoder)
    if config.play:
        require_extra("microphone", "--play")
    if config.verbalize is not None:
        require_extra("verbalize", f"--verbalize {config.verbalize}")
    loudspeaker = Loudspeaker() if config.play else None
    text = sys.stdin.read() if config.text == "-" else config.text
    import_quietly()
    from kerasr.inference.speech import SpeechFile
    from kerasr.runs.run import load_run
    from kerasr.text.verbalization import verbalize

    vocoder = None if config.vocoder is None else load_run(config.vocoder)
    synthesizer = load_run(config.run).synthesizer_with(vocoder)
    if config.verbalize is not None:
        text = verbalize(text, config.verbalize, _grammars_of(config.verbalize))
    parts = synthesizer.say(text, config.voice, config.speed, config.pitch)
    seconds = 0.0
    with nullcontext() if config.to is None else SpeechFile(config.to) as file:
        for part in parts:
            seconds += part.seconds
            if config.json:
                row = {"text": part.text, "voice": part.voice, "seconds": round(part.seconds, 3)}
                print(json.dumps({**row, "alignment": part.alignment}, ensure_ascii=False), flush=True)
            if file is not None:
                file.write(part)
            # While one part is heard the next is made.
            if loudspeaker is not None:
                loudspeaker.play(part.waveform, part.sample_rate)
    if not config.json and config.to is not None:
        print(f"{format_seconds(seconds)} of speech in {config.to}")
    if loudspeaker is not None:
        loudspeaker.wait()


def _grammars_of(language: str) -> str:
    """The folder of the user's cache that keeps a language's compiled grammars, of the library's version."""
    from kerasr.data.corpora.user_cache import made_folder, writable_cache
    from kerasr.text.verbalization import GRAMMARS, LIBRARY

    return made_folder(writable_cache(), GRAMMARS, [language, metadata.version(LIBRARY)])


if __name__ == "__main__":
    run_command(main)
