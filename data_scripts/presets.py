"""Train the presets that come with the package and make them of their runs, each by the command that its card shows.

    python data_scripts/presets.py              all of them: the better part of an hour on two cores
    python data_scripts/presets.py digits       some of them

The runs stay in runs/presets/; one that was killed goes on, and a preset whose run has ended is made again without
training. Another machine's arithmetic gives other weights.
"""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from _prepare import arguments
from an4_talk import cached_talk, write_talk
from make_preset import PRESETS_FOLDER, make_preset
from preset_samples import WORDS, make_sample

from kerasr.core.cli import import_quietly, run_command
from kerasr.errors import UserError

RUNS = Path("runs/presets")

# A few hundred kilobytes each: five eighths of ResNet8's filters.
NARROW = ["--model.width", "0.625"]
# What other microphones and rooms do to a voice, beside what the recipe does already; and FSDD's clips are cut close,
# which what comes from a microphone is not.
ANY_MICROPHONE = [
    "--augment.reverb",
    "0.3",
    "--augment.codec",
    "0.3",
    "--augment.eq-db",
    "3",
    "--augment.silence",
    "0.3",
]

# The clips at hand, with silences that were cut for each split.
COMMANDS = ["--data", "speech_commands:12", "--split", "speaker"]
# Talk for the detector to train against.
WORD = "stop"
TALK = cached_talk(WORD)

# The arguments of `python -m kerasr.train`.
TRAININGS = {
    "digits": ["digits-best", *NARROW, *ANY_MICROPHONE, "--synthetic-voices", "100", "--epochs", "60"],
    "commands": ["commands", *NARROW, *COMMANDS, "--epochs", "60"],
    "wakeword_stop": ["wakeword", *NARROW, *COMMANDS, "--wanted", "stop", "--negatives", str(TALK / "train")],
    "spelling": ["an4", "--model.units", "96"],
    "digits_voice": ["digits_voice"],
    "sentences": ["sentences_voice"],
}  # fmt: skip
# Those that train once more, against what the first training takes for their word.
TWICE = ("wakeword_stop",)

# Where a figure belongs stands the comment that names its source: `python docs/figures.py` writes it into the cards.
LIMITS = {
    "digits": [
        "Six people recorded the clips, each word alone: it was trained on no digit within a sentence.",
        "Of unseen speakers expect less than its score: on FSDD's, each left out in turn, the recipe digits-best "
        "as it stands, at full width, gets <!-- unseen_speakers: digits-best mean --> (python "
        "benchmarks/unseen_speakers.py --candidate digits-best).",
        "Other words it often takes for digits: <!-- foreign_words: digits --> of Speech Commands' 3,247 clips "
        "(python benchmarks/foreign_words.py).",
    ],
    "commands": [
        "What is none of its ten words should come out as `_unknown_`, and often does not: see the table.",
        "Words that it never met it often takes for its own: <!-- foreign_words: commands --> of FSDD's 3,000 "
        "digits (python benchmarks/foreign_words.py).",
    ],
    "wakeword_stop": [
        "It trained against half an hour of AN4's sentences. In <!-- false_alarms: hours --> hours of read "
        "sentences by others (AN4, GRID, LJSpeech) it raised <!-- false_alarms: preset --> false alarms at a "
        "threshold of 0.5, <!-- false_alarms: preset an hour --> an hour (95% interval <!-- false_alarms: preset "
        "interval -->), and <!-- false_alarms: preset at 0.9 --> at 0.9, where it finds <!-- false_alarms: preset "
        "words at 0.9 --> of <!-- false_alarms: words --> words instead of <!-- false_alarms: preset words --> "
        "(python benchmarks/false_alarms.py). Other talk, music and noise are not measured: give your own "
        "--negatives.",
        "Of FSDD's 3,000 digits it takes <!-- foreign_words: wakeword_stop --> for its word (python "
        "benchmarks/foreign_words.py).",
    ],
    "spelling": [
        "Its speakers read out letters, numbers, dates and a few commands in American English, near a microphone in a "
        "quiet room: of other speech it makes letters.",
    ],
    "digits_voice": [
        "The voices are those of the six people who recorded FSDD for anyone's use; they are no one else's to speak "
        "for.",
        "A network that was trained on the recordings alone hears <!-- voice: digits-voice right --> of its digits "
        "right, <!-- voice: digits-voice least --> of the voice that is heard worst (python benchmarks/voice.py "
        "--parts digits-voice-0).",
        "It has heard ten words, each alone: of numbers it says the digits, one after the other.",
    ],
    "sentences": [
        "The voices are those of flite (http://cmuflite.org), a program, whose licence allows it; it sounds like the "
        "program, at best.",
        "Whisper tiny.en mistakes <!-- voice: sentences-voice wer --> of the words that it says, and <!-- voice: "
        "sentences-voice wer of recordings --> of those that flite says (python benchmarks/voice.py --parts "
        "sentences-voice-0).",
        "It spells English by ear, from 8,000 sentences: rare names and foreign words may come out otherwise.",
        "A word by itself begins and ends abruptly, soft consonants first: the clips it learnt from were cut close.",
    ],
}


def main(argv: list[str]) -> None:
    """Train what has not been trained, and make the presets."""
    parser = arguments(__doc__ or "")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TRAININGS)}; all where none is named")
    parser.add_argument("--folder", type=Path, default=PRESETS_FOLDER, help="of the presets (default: the package's)")
    options = parser.parse_args(argv)
    if unknown := sorted(set(options.names) - set(TRAININGS)):
        raise UserError("preset-not-found", f"{unknown[0]}: there is no such preset; there are {', '.join(TRAININGS)}")
    import_quietly()
    for name in options.names or TRAININGS:
        made = make_preset(name, trained(name), folder=options.folder, limits=LIMITS[name])
        if name in WORDS:
            make_sample(made)
        print(made)


def trained(name: str) -> Path:
    """The run of a preset, trained in a process of its own, whose command its card shows."""
    arguments = TRAININGS[name]
    if name in TWICE:
        write_talk(TALK, WORD)
        first = train_once(RUNS / name / "first", arguments)
        arguments = [*arguments, "--hard-negatives", str(first)]
    return train_once(RUNS / name, arguments)


def train_once(folder: Path, arguments: list[str]) -> Path:
    """The finished run in a folder that these arguments made, or make now."""
    from kerasr.runs.folder import list_runs
    from kerasr.runs.run import load_run

    arguments = [*arguments, "--out", str(folder)]
    # A run of other settings is one from before they were changed.
    if not (runs := [path for path in list_runs(folder) if was_trained_by(load_run(path).facts, arguments)]):
        train(*arguments)
        runs = list_runs(folder)
    if load_run(runs[-1]).facts["status"] != "done":
        train("--resume", str(runs[-1]))
    return runs[-1]


def was_trained_by(facts: dict[str, Any], arguments: list[str]) -> bool:
    """Whether a run, of these facts, was trained by the command with these arguments."""
    return facts.get("command") == shlex.join(["python", "-m", "kerasr.train", *arguments])


def train(*arguments: str) -> None:
    """Run the training's command.

    Raises:
        UserError: it failed; it has said why.
    """
    if subprocess.run([sys.executable, "-m", "kerasr.train", *arguments], check=False).returncode:
        raise UserError("training-failed", f"python -m kerasr.train {arguments[0]} did not end well")


if __name__ == "__main__":
    run_command(main)
