"""Train the presets that come with the package and make them of their runs, each by the command that its card shows.

    python data_scripts/presets.py              all of them: half an hour on two cores
    python data_scripts/presets.py digits       some of them

The runs stay in runs/presets/; a preset whose run is there already is made anew without training. Another machine's
arithmetic gives other weights, which score alike.
"""

import json
import subprocess
import sys
from pathlib import Path

from _prepare import arguments
from make_preset import PRESETS_FOLDER, make_preset

from kerasr.cli import import_quietly, run_command

RUNS = Path("runs/presets")

# A few hundred kilobytes each: five eighths of ResNet8's filters.
NARROW = ["--model.width", "0.625"]
# What other microphones and rooms do to a voice, beside what the recipe does already.
ANY_MICROPHONE = ["--augment.reverb", "0.3", "--augment.codec", "0.3", "--augment.eq-db", "3"]

# The arguments of `python -m kerasr.train`.
TRAININGS = {
    "digits": ["digits-best", *NARROW, *ANY_MICROPHONE, "--synthetic-voices", "100", "--epochs", "60"],
    "commands": ["commands", *NARROW, "--data", "speech_commands", "--split", "speaker", "--epochs", "60"],
    "wakeword_stop": ["wakeword", *NARROW, "--data", "speech_commands", "--wanted", "stop", "--split", "speaker"],
}

LIMITS = {
    "digits": ["Six people recorded the clips, each word alone: it has never heard a digit within a sentence."],
    "commands": ["It learnt from a part of Speech Commands, about 250 clips a word: the whole corpus teaches more."],
    "wakeword_stop": [
        "Its counter-examples are single words and noises, not hours of talk or music: expect false alarms."
    ],
}


def main(argv: list[str]) -> None:
    """Train what has not been trained, and make the presets."""
    parser = arguments(__doc__ or "")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TRAININGS)}; all where none is named")
    parser.add_argument("--recipe-score", help="what the digits recipe gets on voices it never heard, for that card")
    parser.add_argument("--folder", type=Path, default=PRESETS_FOLDER, help="of the presets (default: the package's)")
    options = parser.parse_args(argv)
    import_quietly()
    for name in options.names or TRAININGS:
        folder = RUNS / name
        if not finished(folder):
            # In a process of its own: that is the command which the card shows.
            subprocess.run([sys.executable, "-m", "kerasr.train", *TRAININGS[name], "--out", str(folder)], check=True)
        score = options.recipe_score if name == "digits" else None
        print(make_preset(name, finished(folder)[-1], folder=options.folder, recipe_score=score, limits=LIMITS[name]))


def finished(folder: Path) -> list[Path]:
    """Runs that have ended, the last one last."""
    facts = sorted(folder.glob("*/run.json"))
    return [path.parent for path in facts if json.loads(path.read_text())["status"] == "done"]


if __name__ == "__main__":
    run_command(main)
