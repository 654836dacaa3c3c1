"""The scores of the weights that kerasr brings, as the files beside them have them.

    python benchmarks/presets.py    print the table of the README

`python data_scripts/presets.py` trains and measures them; `python -m kerasr.evaluate NAME` measures one again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from _parts import markdown_table, print_tables

from kerasr.presets import list_presets, preset_folder

WORDS = {
    "digits": "zero to nine, at 8 kHz",
    "commands": "yes, no, up, down, left, right, on, off, stop, go; `_unknown_`, `_silence_`",
    "wakeword_stop": 'is it "stop"?',
    "spelling": "letters, digits and some commands, in sentences",
    "digits_voice": "says digits, in the voices of six people",
    "sentences": "says any English sentence, in three voices of a program",
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print_tables(tables())


def tables() -> dict[str, str]:
    """What each preset knows or says, its size, and its score on its test clips."""
    rows = [(f"`{name}`", WORDS[name], *facts(scores(name))) for name in WORDS if name in list_presets()]
    return {"all": markdown_table(("preset", "words", "size", "test clips"), rows)}


def figures() -> dict[str, str]:
    """The share of its test clips that a recogniser knows; of words that it gets wrong, where it writes sentences."""
    found = {name: scores(name) for name in list_presets()}
    shares = {name: score.get("wer", score.get("accuracy")) for name, score in found.items()}
    return {name: f"{share:.1%}" for name, share in shares.items() if share is not None}


def scores(name: str) -> dict[str, Any]:
    return json.loads(Path(preset_folder(name) or name, "metrics.json").read_text(encoding="utf-8"))


def facts(metrics: dict[str, Any]) -> tuple[str, str]:
    """Size and score."""
    size = f"{metrics['model_bytes'] / 1000:,.0f} kB"
    if "distortion_db" in metrics:
        return size, f"{metrics['distortion_db']:.1f} dB of mel-cepstral distortion, {metrics['num_clips']} recordings"
    if "wer" in metrics:
        with_lm = metrics["with_lm"]["wer"]
        speakers = f"{metrics['num_words']} words by {len(metrics['speakers'])} unseen speakers"
        return size, f"{with_lm:.1%} of {speakers} wrong, {metrics['wer']:.1%} without words and trigram"
    if len(metrics["confusion"]) == 2:
        (quiet, alarms), (missed, found) = metrics["confusion"]
        return size, f"misses {missed} of {missed + found}, false alarms {alarms} of {quiet + alarms}"
    low, high = metrics["accuracy_interval"]
    right = f"{metrics['num_correct']} of {metrics['num_clips']} right"
    return size, f"{right} (95% interval {low:.1%} to {high:.1%}; {len(metrics['speakers'])} speakers)"


if __name__ == "__main__":
    main()
