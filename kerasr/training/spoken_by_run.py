"""Words in the voices of a run that speaks, for a recogniser to learn: `--synthetic-voices runs/VOICE:100`."""

import hashlib
import os
import random
from collections.abc import Mapping
from dataclasses import replace

from kerasr.core.progress import ProgressBar
from kerasr.data.corpora.spoken import BY_RUN, find_word, read_spoken
from kerasr.data.corpora.synthetic import choices
from kerasr.data.corpora.user_cache import writable_cache
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError
from kerasr.inference.speech import MARK, Speech
from kerasr.runs.facts import MODEL
from kerasr.runs.run import Run, load_run

# Clips of each word, where it is not said how many.
CLIPS_PER_WORD = 100
# Bounds for each clip: how fast it is said, and semitones around the voice's pitch.
_SPEEDS = (0.7, 1.4)
_SEMITONES = 4.0
# Of a Dirichlet distribution, how near to one voice alone its mixture is: 0 all the way; and how uneven its pace.
_CONCENTRATION = 0.5
_DURATION_NOISE = 0.2
# A run has few voices, of which none can be spared: parts of the clips are the test and the validation, by chance.
BY_CLIP = "by clip: a tenth is the test and another the validation, in the same voices as the training (our choice)"
_SHARES = {"train": 8, "validation": 1, "test": 1}
# Part of the cache's key: count it up when the same run, words and seed would give other clips.
_VERSION = 2


def speak_by_run(setting: str, words: Mapping[str, str], *, seed: int = 0) -> Corpus:
    """A corpus of words, spoken on the first call and read from the user's cache from then on.

    Args:
        setting: the folder of a run that is a voice, and behind a colon how many clips it says of each word.
        words: what to say for each label (`kerasr.data.corpora.synthetic.parse_words`).
        seed: draws how they are said.

    Returns:
        Clips by voices between the run's own, whose speakers are called `voice:` and the name of the nearest; about a
        tenth of them is a test and another validates, in the same voices.

    Raises:
        UserError: there is no such run, it is no voice, or a word has a character that it has not learnt.
    """
    path, clips = _parse(setting)
    run = load_run(path)
    texts = {label: choices(text) for label, text in words.items()}
    with open(run.path / MODEL, "rb") as file:
        learnt = hashlib.file_digest(file, "sha256").hexdigest()
    return read_spoken(
        BY_RUN,
        [_VERSION, learnt, run.facts.get("length_factor"), list(texts.items()), seed, clips],
        writable_cache(),
        lambda folder: _render(run, texts, folder, clips, seed),
        licence=MARK,
        source=str(run.path),
        official_split=BY_CLIP,
        labels=tuple(words),
    )


def _parse(setting: str) -> tuple[str, int]:
    """The run, and how many clips it says of each word."""
    path, _, number = setting.rpartition(":")
    if path and number.isdecimal() and int(number) > 0:
        return path, int(number)
    return setting, CLIPS_PER_WORD


def _render(run: Run, texts: Mapping[str, list[str]], folder: str, clips: int, seed: int) -> list[Utterance]:
    """Speak every clip into `folder`."""
    utterances = []
    with ProgressBar("Speaking", len(texts) * clips) as progress:
        # Words may hold what no file name may: folders are numbered, and the manifest has the label.
        for number, (label, ways) in enumerate(texts.items()):
            os.mkdir(os.path.join(folder, str(number)))
            for clip in range(clips):
                draw = random.Random(f"{seed} {clip} {label}")
                path = os.path.join(folder, str(number), f"{clip:04d}.wav")
                speech = _say(run, draw.choice(ways), draw)
                speech.save(path)
                (split,) = draw.choices([*_SHARES], [*_SHARES.values()])
                utterances.append(Utterance(path, label=label, speaker=f"{BY_RUN}:{speech.voice}", split=split))
                progress.advance(1)
    return utterances


def _say(run: Run, text: str, draw: random.Random) -> Speech:
    """A text in a voice between the run's own, as fast and as high as is drawn, without the silence around it."""
    parts = {voice: draw.gammavariate(_CONCENTRATION, 1.0) for voice in run.synthesizer.voices}
    shares = {voice: part / sum(parts.values()) for voice, part in parts.items()}
    speed, pitch = draw.uniform(*_SPEEDS), draw.uniform(-_SEMITONES, _SEMITONES)
    said = run.synthesizer.say(text, shares, speed, pitch, duration_noise=_DURATION_NOISE, seed=draw.getrandbits(32))
    speech = Speech.join([*said])
    place = find_word(speech.waveform, speech.sample_rate)
    if place is None:
        raise UserError("voice-failed", f"{run.path}: there is no sound where {speech.voice!r} says {text!r}")
    return replace(speech, waveform=speech.waveform[place])
