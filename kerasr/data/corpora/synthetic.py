"""Spoken words made with espeak-ng, in more than a hundred voices of any of its languages: `synthetic:zero,one,two`.

`espeakng-loader` (extra `voices`, GPL-3) brings the library. A voice is an accent of the language with a variant, which
shapes the vocal tract; the variant is the speaker, so that a split by speaker tests on vocal tracts not met in
training, whatever their accent. Rate, pitch and its range are drawn for each clip. A model trained on these alone knows
how words sound, not how people do (docs/studies.md says what that gives).
"""

import difflib
import json
import os
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from kerasr.core.progress import ProgressBar
from kerasr.data.corpora.spoken import read_spoken, trim_clip
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError
from kerasr.text.espeak import find_espeak, start_espeak

NAME = "synthetic"
PREFIX = f"{NAME}:"
CLIPS_PER_WORD = 200
LANGUAGE = "en"

# Bounds for each clip: words a minute (espeak-ng's normal is 175), pitch and its range (0 to 100, normal 50).
_RATES = (100, 250)
_PITCHES = (10, 90)
_PITCH_RANGES = (20, 90)
# Part of the cache's key: count it up when the same words and seed would give other clips.
_VERSION = 2
# Voices that read a language in another script than its usual one: taken only where they are named in full.
_OTHER_SCRIPT = re.compile("-(shaw|latn)")
# Commas part words, but not within [[phonemes]], where a comma is secondary stress.
_COMMA = re.compile(r",(?![^\[]*\]\])")
_BAR = re.compile(r"\|(?![^\[]*\]\])")


def parse_words(listed: str) -> dict[str, str]:
    """The words in `stop=[[st'0p]],go`, in their order, each with what is said for it: `[[st'0p]]`, `go`.

    What stands behind `=` is said in the word's place: another spelling, phonemes of espeak-ng in double brackets, or
    one of several, as in `stop=stop|halt` (or `_unknown_=bed|bird|cat`), drawn for each clip.
    An underscore in a word is a space to the voice.

    Raises:
        UserError: there are none, one is empty, or one is there twice.
    """
    words: dict[str, str] = {}
    for item in _COMMA.split(listed.removeprefix(PREFIX)):
        word, _, spoken = (part.strip() for part in item.partition("="))
        if not word or ("=" in item and not all(part.strip() for part in _BAR.split(spoken))):
            raise UserError(
                "setting-invalid",
                f"{listed}: name the words, separated by commas, as in yes,no or stop=[[st'0p]],go=go|walk",
            )
        if word in words:
            raise UserError("word-twice", f"{listed}: {word!r} is there twice; name each word once")
        words[word] = spoken or spoken_form(word)
    return words


def spoken_form(label: str) -> str:
    """What a voice says for a label: `turn_left` is read `turn left`, and `7` as the language's own number."""
    return label.replace("_", " ")


def choices(text: str) -> list[str]:
    """The texts of which a clip has one: `stop|halt` has two."""
    return [choice.strip() for choice in _BAR.split(text)]


def read_synthetic(
    words: Mapping[str, str],
    cache: str,
    *,
    language: str = LANGUAGE,
    seed: int = 0,
    clips_per_word: int = CLIPS_PER_WORD,
) -> Corpus:
    """A corpus of `words`, spoken on the first call and read from `cache` from then on.

    Args:
        words: what to say for each label, in the labels' order; `parse_words` makes it.
        cache: folder that keeps what was spoken.
        language: code of a language that espeak-ng speaks (`en`, `en-gb`, `de`), with all of its accents.
        seed: the same seed and words give the same clips, byte for byte, with the same version of espeak-ng.
        clips_per_word: clips of each word, by as many speakers as there are, then again by the first.

    Raises:
        UserError: espeakng-loader is not installed, it speaks no such language, or a word cannot be spoken.
        OSError: the cache cannot be written.
    """
    if clips_per_word < 1:
        raise UserError(
            "setting-out-of-range", f"clips_per_word is {clips_per_word}: give a whole number of at least 1"
        )
    return read_spoken(
        NAME,
        [_VERSION, list(words.items()), language, seed, clips_per_word],
        cache,
        lambda folder: _render(words, folder, language, seed, clips_per_word),
        licence="made with espeak-ng, a GPL-3 program",
        source="https://github.com/espeak-ng/espeak-ng, by way of espeakng-loader",
        labels=tuple(words),
    )


def find_accents(language: str, data: str) -> dict[str, str]:
    """The voices that speak `language`: its own and those whose code begins with it, as `en-us` does with `en`.

    Args:
        language: a code; its case does not matter.
        data: espeak-ng's data folder.

    Returns:
        What espeak-ng calls each voice, by the voice's code, sorted.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    known = _read_voices(data)
    wanted = language.strip().lower().replace("_", "-")
    accents = [code for code in known if code.startswith(f"{wanted}-") and not _OTHER_SCRIPT.search(code)]
    accents += [wanted] if wanted in known else []
    if accents:
        return {code: known[code].path for code in sorted(accents)}
    names = {code: [name.lower() for name in (code, voice.name, *voice.aliases)] for code, voice in known.items()}
    near = [code for code in sorted(names) if wanted and any(wanted in re.split(r"\W+", name) for name in names[code])]
    close = difflib.get_close_matches(wanted, [name for named in names.values() for name in named], n=5)
    near += [code for code in sorted(names) if set(names[code]) & set(close)]
    shown = ", ".join(f"{code} ({known[code].name})" for code in list(dict.fromkeys(near))[:5])
    raise UserError(
        "language-not-found",
        f"--language {language}: espeak-ng has no voice of this code; "
        + (f"near it are {shown}" if near else f"its {len(known)} are {', '.join(sorted(known))}"),
    )


@dataclass(frozen=True)
class _Voice:
    """A language or accent of espeak-ng: what it is called there, in words, and by other codes."""

    path: str
    name: str
    aliases: tuple[str, ...]


def _read_voices(data: str) -> dict[str, _Voice]:
    """Every voice that has a dictionary, by its code."""
    found: dict[str, _Voice] = {}
    root = os.path.join(data, "lang")
    for folder, _, files in os.walk(root):
        for file in files:
            path = os.path.join(folder, file)
            with open(path, encoding="utf-8", errors="replace") as lines:
                facts = [line.split(maxsplit=1) for line in lines if line.startswith(("name ", "language ", "dict"))]
            said = {kind: value.strip() for kind, value in reversed(facts)}
            codes = [value.split()[0].lower() for kind, value in facts if kind == "language"]
            if codes:
                dictionary = said.get("dictionary", codes[0].split("-")[0])
                if os.path.isfile(os.path.join(data, f"{dictionary}_dict")):
                    inside = os.path.relpath(path, root).replace(os.sep, "/")
                    found[codes[0]] = _Voice(inside, said.get("name", codes[0]), tuple(codes[1:]))
    return found


def _render(words: Mapping[str, str], folder: str, language: str, seed: int, clips_per_word: int) -> list[Utterance]:
    """Speak every clip into `folder`."""
    library, data = find_espeak("a synthetic voice")
    accents = find_accents(language, data)
    variants = sorted(os.listdir(os.path.join(data, "voices", "!v")))
    random.Random(f"{seed}").shuffle(variants)
    jobs, utterances = [], []
    # Words may hold what no file name may: folders are numbered, and the manifest has the label.
    for number, (word, text) in enumerate(words.items()):
        os.mkdir(os.path.join(folder, str(number)))
        for clip in range(clips_per_word):
            draw = random.Random(f"{seed} {clip} {word}")
            variant, accent = variants[clip % len(variants)], draw.choice(list(accents))
            path = os.path.join(folder, str(number), f"{clip:04d}_{accent}+{variant.replace(' ', '_')}.wav")
            jobs.append({
                "path": path,
                "voice": f"{accents[accent]}+{variant}",
                "rate": draw.randint(*_RATES),
                "pitch": draw.randint(*_PITCHES),
                "pitch_range": draw.randint(*_PITCH_RANGES),
                "text": draw.choice(choices(text)),
            })  # fmt: skip
            utterances.append(Utterance(path, label=word, speaker=variant))
    _speak(library, data, jobs)
    for job in jobs:
        if not trim_clip(job["path"]):
            raise UserError(
                "voice-failed",
                f"espeak-ng could not speak the words: the voice {job['voice']} has no sound for {job['text']!r}",
            )
    return utterances


def _speak(library: str, data: str, jobs: list[dict[str, object]]) -> None:
    """Run the child process on the jobs, with a progress bar."""
    with (
        ProgressBar("Speaking", len(jobs)) as progress,
        start_espeak(data) as child,
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
            progress.advance(int(line))
        message = child.stderr.read().strip().splitlines()
    if child.returncode != 0:
        reason = message[-1] if message else f"it ended with code {child.returncode}"
        raise UserError("voice-failed", f"espeak-ng could not speak the words: {reason}")
