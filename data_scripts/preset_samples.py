"""Speak the sample recordings of the package's presets, for `python -m kerasr.predict NAME --sample`.

    python data_scripts/preset_samples.py              all of them: some seconds
    python data_scripts/preset_samples.py digits       some of them

Needs the extra `voices`, which brings espeak-ng. A sample shows what an answer looks like and measures nothing: it is
the first of some synthetic voices that the preset recognises well, among clips that it has not learnt from. Nothing of
a corpus is in it. Where a preset writes down sentences, it does so with the trigram that it brings.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import soundfile
from _prepare import arguments
from make_preset import PRESETS_FOLDER

from kerasr.core.cli import import_quietly, run_command
from kerasr.errors import UserError
from kerasr.presets import LANGUAGE_MODEL, SAMPLE

# A word for each preset, or some.
WORDS = {"digits": "seven", "commands": "yes", "wakeword_stop": "stop", "spelling": "one_two_three"}
# The presets have learnt from voices of seed 0.
SEED = 1
NUM_VOICES = 20
LEAST_PROBABILITY = 0.9


def main(argv: list[str]) -> None:
    """Speak the samples."""
    parser = arguments(__doc__ or "")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(WORDS)}; all where none is named")
    options = parser.parse_args(argv)
    import_quietly()
    for name in options.names or WORDS:
        if name not in WORDS:
            raise UserError("preset-not-found", f"{name}: there is no such preset; there are {', '.join(WORDS)}")
        print(make_sample(PRESETS_FOLDER / name))


def make_sample(folder: Path) -> Path:
    """The sample of the preset in a folder, spoken anew.

    Raises:
        UserError: espeak-ng is not installed, or the preset recognises its word in none of the voices.
    """
    from kerasr.config import DecodingConfig
    from kerasr.data.corpora.synthetic import parse_words, read_synthetic, spoken_form
    from kerasr.data.hashes import with_hashes
    from kerasr.runs.run import load_run

    word, run, place = WORDS[folder.name], load_run(folder), folder / SAMPLE
    if (folder / LANGUAGE_MODEL).exists():
        run.decode_with(DecodingConfig(lm="training", words="training"))
    with tempfile.TemporaryDirectory() as cache:
        spoken = read_synthetic(parse_words(word), cache, seed=SEED, clips_per_word=NUM_VOICES)
        clips = [clip.path for clip in with_hashes(spoken.utterances) if clip not in run.known]
        path = next((path for path, answer in zip(clips, run.predict(clips), strict=True) if says(answer, word)), None)
        if path is None:
            raise UserError(
                "voice-failed", f"{folder}: knows {word} from none of {NUM_VOICES} voices: take another word"
            )
        voice = re.sub(r"^\d+_", "", Path(path).stem)
        samples, rate = soundfile.read(path, dtype="int16")
    with soundfile.SoundFile(place, "w", rate, channels=1, subtype="PCM_16", format="WAV") as file:
        # In the file itself, which so says what it is wherever it goes.
        text = spoken_form(word)
        what = f'"{text}"' if " " in text else f"the word {text}"
        file.title, file.comment = text, f"{what}, spoken by a program: espeak-ng, voice {voice}"
        file.write(samples)
    return place


def says(answer: Any, word: str) -> bool:
    """Whether an answer is a word, surely, or the text that a word is spoken as."""
    from kerasr.data.corpora.synthetic import spoken_form
    from kerasr.tasks import Label

    if isinstance(answer, Label):
        return answer.word == word and answer.probability >= LEAST_PROBABILITY
    return answer.text == spoken_form(word)


if __name__ == "__main__":
    run_command(main)
