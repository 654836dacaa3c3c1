"""Training clips spoken by flite, whose few voices are built from recordings of people: English words alone.

flite is a program of its own, under a licence like BSD's: `apt install flite` or `brew install flite`. Its voices are
far fewer than espeak-ng's and sound like people, so each brings what the other lacks (docs/studies.md has the figures).
Pace, pitch and the melody are drawn for each clip. With four voices none is left for a test: all clips train.

Source: Black and Lenzo, "Flite: a small fast run-time synthesis engine", SSW4, 2001, http://cmuflite.org.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kerasr.core.progress import map_threaded
from kerasr.data.corpora.spoken import read_spoken, trim_clip
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError

PROGRAM = "flite"
LICENCE, SOURCE = "made with flite, a program under a licence like BSD's", "http://cmuflite.org"
# The voices by name, with their own mean pitch in Hz: men from the US, from Scotland and from the US, a woman from the
# US. `rms` keeps to its own pitch, whatever is asked. (`kal` is `kal16` at 8 kHz; `awb_time` knows times of day alone.)
VOICES = {"kal16": 95.0, "awb": 137.0, "rms": 99.0, "slt": 180.0}
# Bounds for each clip: the sounds' durations as a factor, octaves around the voice's pitch, the pitch's spread in Hz.
_DURATIONS = (0.75, 1.5)
_OCTAVES = 0.45
_SPREADS = (5.0, 30.0)
# What may follow the word: it changes the melody.
_ENDINGS = ("", ".", ",", "?", "!")
# Part of the cache's key: count it up when the same words and seed would give other clips.
_VERSION = 1


@dataclass(frozen=True)
class Job:
    """One clip: where it goes, what is said, and how, in flite's own features."""

    path: str
    text: str
    voice: str
    features: Mapping[str, float] = field(default_factory=dict)


def check_flite(language: str, clips_per_word: int) -> None:
    """Raise UserError where flite cannot speak: before anything else is spoken."""
    if clips_per_word < 1:
        raise UserError("setting-out-of-range", f"--flite-clips {clips_per_word}: give a whole number of at least 1")
    if not is_english(language):
        raise UserError(
            "language-not-found", f"--language {language}: flite speaks English alone; leave out --flite-clips"
        )
    check_program("--flite-clips needs")


def check_program(what: str) -> None:
    """Raise UserError where flite is not installed, beginning with what needs it."""
    if shutil.which(PROGRAM) is None:
        raise UserError("program-not-found", f"{what} the program flite: apt install flite, or brew install flite")


def is_english(language: str) -> bool:
    """Whether a code is one of English: `en`, `en-gb`, `EN_US`."""
    return language.strip().lower().replace("_", "-").split("-")[0] == "en"


def read_flite(words: Mapping[str, list[str]], cache: str, *, seed: int = 0, clips_per_word: int) -> Corpus:
    """A corpus of `words`, spoken on the first call and read from `cache` from then on.

    Args:
        words: for each label the texts that may be said for it, in English.
        cache: folder that keeps what was spoken.
        seed: the same seed and words give the same clips with the same version of flite.
        clips_per_word: clips of each word, by the voices in turn.

    Returns:
        Clips without a split, whose speakers are called `flite:` and the voice.

    Raises:
        UserError: a word is given by espeak-ng's phonemes or cannot be spoken.
        OSError: the cache cannot be written.
    """
    for label, texts in words.items():
        if any("[[" in text for text in texts):
            raise UserError(
                "voice-failed", f"{label}: flite cannot read espeak-ng's phonemes; leave out --flite-clips, or spell it"
            )
    return read_spoken(
        PROGRAM,
        [_VERSION, list(words.items()), seed, clips_per_word],
        cache,
        lambda folder: _render(words, folder, seed, clips_per_word),
        licence=LICENCE,
        source=SOURCE,
        labels=tuple(words),
    )


def _render(words: Mapping[str, list[str]], folder: str, seed: int, clips_per_word: int) -> list[Utterance]:
    """Speak every clip into `folder`."""
    jobs: dict[str, list[Job]] = {}
    # Words may hold what no file name may: folders are numbered, and the manifest has the label.
    for number, (label, texts) in enumerate(words.items()):
        os.mkdir(os.path.join(folder, str(number)))
        for clip in range(clips_per_word):
            draw = random.Random(f"{seed} {clip} {label}")
            voice = list(VOICES)[clip % len(VOICES)]
            features = {
                "duration_stretch": draw.uniform(*_DURATIONS),
                "int_f0_target_mean": VOICES[voice] * 2 ** draw.uniform(-_OCTAVES, _OCTAVES),
                "int_f0_target_stddev": draw.uniform(*_SPREADS),
            }
            path = os.path.join(folder, str(number), f"{clip:04d}_{voice}.wav")
            job = Job(path, draw.choice(texts) + draw.choice(_ENDINGS), voice, features)
            jobs.setdefault(label, []).append(job)
    speak([job for mine in jobs.values() for job in mine])
    return [Utterance(job.path, label=label, speaker=speaker_of(job)) for label, mine in jobs.items() for job in mine]


def speak(jobs: Sequence[Job]) -> None:
    """Write clips, without the silence around what is said.

    Raises:
        UserError: flite cannot say one of them.
    """
    for _ in map_threaded(_speak, jobs, "Speaking"):
        pass


def speaker_of(job: Job) -> str:
    """What the speaker of a clip is called."""
    return f"{PROGRAM}:{job.voice}"


def _speak(job: Job) -> None:
    features = [part for name, value in job.features.items() for part in ("--setf", f"{name}={value:.3f}")]
    command = [PROGRAM, "-voice", job.voice, *features, "-t", job.text, "-o", job.path]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0 or not os.path.isfile(job.path):
        said = done.stderr.strip() or f"it ended with code {done.returncode}"
        raise UserError("voice-failed", f"flite could not say {job.text!r} in its voice {job.voice}: {said}")
    if not trim_clip(job.path):
        raise UserError("voice-failed", f"flite has no sound for {job.text!r}; it reads English")
