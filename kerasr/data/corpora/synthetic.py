"""Spoken words made with espeak-ng, in more than a hundred English voices: `synthetic:zero,one,two`.

`espeakng-loader` (extra `voices`, GPL-3) brings the library. A voice is one of eight accents with a variant, which
shapes the vocal tract; the variant is the speaker, so that a split by speaker tests on vocal tracts not heard in
training, whatever their accent. Rate, pitch and its range are drawn for each clip. A model trained on these alone knows
how words sound, not how people do: about 70% of real digits.
"""

import hashlib
import importlib.util
import json
import os
import random
import subprocess
import sys

from kerasr import atomic
from kerasr.data.corpora import espeak
from kerasr.data.manifest import Corpus, Utterance, read_manifest, write_manifest
from kerasr.data.progress import Notice
from kerasr.errors import UserError

PREFIX = "synthetic:"
CLIPS_PER_WORD = 200
ACCENTS = (
    "en", "en-us", "en-us-nyc", "en-029", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd",
)  # fmt: skip

# Bounds for each clip: words a minute (espeak-ng's normal is 175), pitch and its range (0 to 100, normal 50).
_RATES = (120, 230)
_PITCHES = (25, 75)
_PITCH_RANGES = (30, 80)
# Part of the cache's key: count it up when the same words and seed would give other clips.
_VERSION = 1
_MANIFEST = "manifest.csv"


def parse_words(name: str) -> tuple[str, ...]:
    """The words in `synthetic:zero,one,two`, in their order.

    Raises:
        UserError: there are none, one is empty, or one is there twice.
    """
    words = tuple(word.strip() for word in name.removeprefix(PREFIX).split(","))
    if not all(words):
        raise UserError(f"{name}: name the words, separated by commas, as in {PREFIX}yes,no")
    if twice := [word for word in words if words.count(word) > 1]:
        raise UserError(f"{name}: {twice[0]!r} is there twice; name each word once")
    return words


def read_synthetic(
    words: tuple[str, ...], cache: str, *, seed: int = 0, clips_per_word: int = CLIPS_PER_WORD
) -> Corpus:
    """A corpus of `words`, spoken on the first call and read from `cache` from then on.

    Args:
        words: what to say, in this order as labels; the voices are English.
        cache: folder that keeps what was spoken.
        seed: the same seed and words give the same clips, byte for byte, with the same version of espeak-ng.
        clips_per_word: clips of each word, by as many speakers as there are, then again by the first.

    Raises:
        UserError: espeakng-loader is not installed, or a word cannot be spoken.
        OSError: the cache cannot be written.
    """
    if clips_per_word < 1:
        raise UserError(f"clips_per_word is {clips_per_word}: give a whole number of at least 1")
    key = json.dumps([_VERSION, words, seed, clips_per_word])
    folder = os.path.join(cache, f"synthetic-{hashlib.sha256(key.encode()).hexdigest()[:12]}")
    if not os.path.isdir(folder):
        with atomic.new_folder(folder) as beside:
            _render(words, beside, seed, clips_per_word)
    listed = read_manifest(os.path.join(folder, _MANIFEST))
    return Corpus(
        name="synthetic",
        utterances=listed.utterances,
        licence="made with espeak-ng, a GPL-3 program",
        source="https://github.com/espeak-ng/espeak-ng, by way of espeakng-loader",
        root=folder,
        labels=words,
    )


def _render(words: tuple[str, ...], folder: str, seed: int, clips_per_word: int) -> None:
    """Speak every clip into `folder` and list them in a manifest there."""
    library, data = _find_espeak()
    variants = sorted(os.listdir(os.path.join(data, "voices", "!v")))
    random.Random(f"{seed}").shuffle(variants)
    jobs, utterances = [], []
    # Words may hold what no file name may: folders are numbered, and the manifest has the label.
    for number, word in enumerate(words):
        os.mkdir(os.path.join(folder, str(number)))
        for clip in range(clips_per_word):
            draw = random.Random(f"{seed} {clip} {word}")
            variant, accent = variants[clip % len(variants)], draw.choice(ACCENTS)
            path = os.path.join(folder, str(number), f"{clip:04d}_{accent}+{variant.replace(' ', '_')}.wav")
            jobs.append({
                "path": path,
                "text": word,
                "voice": f"{accent}+{variant}",
                "rate": draw.randint(*_RATES),
                "pitch": draw.randint(*_PITCHES),
                "pitch_range": draw.randint(*_PITCH_RANGES),
            })  # fmt: skip
            utterances.append(Utterance(path, label=word, speaker=variant))
    _speak(library, data, jobs)
    write_manifest(os.path.join(folder, _MANIFEST), utterances)


def _find_espeak() -> tuple[str, str]:
    """Paths of the library and of its data."""
    if importlib.util.find_spec("espeakng_loader") is None:
        raise UserError('synthetic voices need espeakng-loader, which is not installed: pip install -e ".[voices]"')
    import espeakng_loader

    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


def _speak(library: str, data: str, jobs: list[dict[str, object]]) -> None:
    """Run the child process on the jobs, with a progress bar."""
    with (
        Notice("Speaking", len(jobs)) as notice,
        subprocess.Popen(
            [sys.executable, "-P", espeak.__file__],
            cwd=os.path.dirname(data),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            json.dump({"library": library, "jobs": jobs}, child.stdin)
            child.stdin.close()
        except BrokenPipeError:
            pass  # It has ended already; what it said on stderr is reported below.
        for line in child.stdout:
            notice.advance(int(line))
        message = child.stderr.read().strip().splitlines()
    if child.returncode != 0:
        reason = message[-1] if message else f"it ended with code {child.returncode}"
        raise UserError(f"espeak-ng could not speak the words: {reason}")
