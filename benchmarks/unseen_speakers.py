"""What a recipe is worth on a voice that it never heard: spoken digits with one of six speakers left out.

    python benchmarks/unseen_speakers.py --choose     short trainings that leave out two speakers, for every candidate
    python benchmarks/unseen_speakers.py              a full training for each speaker, of the candidate chosen for it
    python benchmarks/unseen_speakers.py --table      print what has been measured

Nested validation: the candidate for a speaker is the one that did best on the five others, each left out together with
that speaker from trainings at a third of the steps, each clip heard once, with two seeds; only candidates that every
pair has tried with both are a choice. A speaker's own recordings have no part in the choice, nor in when to stop: every
training keeps its last weights. Each training is one file under benchmarks/results/unseen_speakers/, written when it
ends, and not trained again while that file is there. --candidate trains one candidate for all speakers instead, and
--speakers leaves out some of the speakers only (with --choose, the pairs of these), so that several processes can share
the work (TF_NUM_INTRAOP_THREADS=1 for each).
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from _parts import (
    accuracy_by_speaker,
    is_right,
    markdown_table,
    print_tables,
    processor_seconds,
    read_parts,
    write_result,
)

from kerasr.config import TrainConfig, to_json
from kerasr.recipes import get_recipe
from kerasr.training.trainer import train_recipe

RESULTS = Path(__file__).parent / "results" / "unseen_speakers"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")

RECIPE = "digits-best"
NAMES = {
    RECIPE: "`digits-best`: 10 ms frames, Muon, learning rate 0.003",
    "rooms": "`rooms`",
    "coarse-adamw": "`coarse-adamw`: 20 ms frames and AdamW",
    "quicker": "`quicker`: learning rate 0.008",
    "adamw": "`adamw` in place of Muon",
    "coarse": "`coarse`: 20 ms frames",
    "voices": "`voices`: a thousand clips each by espeak-ng and flite beside them, 55 epochs",
}

# Trained on more than FSDD: measured beside the others, and no choice for a figure on FSDD alone.
NOT_ALONE = ("voices",)

# Who is left out together in the trainings that choose.
PAIRS = tuple(itertools.combinations(SPEAKERS, 2))
INNER_EPOCHS = 40  # Of the trainings that choose: with four speakers, a third of the steps of a full one.
# One seed moves the mean over five speakers by two points, as much as candidates differ by.
INNER_SEEDS = (0, 1)


def candidates() -> dict[str, TrainConfig]:
    """What there is to choose from: the recipe, and the same with one thing otherwise."""
    best = get_recipe("digits-best")
    adamw = best.replace(optimizer=replace(best.optimizer, name="adamw"))
    coarse = replace(best.features, hop_length=160)
    rooms = {"tempo": (0.85, 1.18), "eq_db": 3.0, "reverb": 0.2, "codec": 0.3}
    return {
        "digits-best": best,
        "quicker": best.replace(optimizer=replace(best.optimizer, learning_rate=8e-3)),
        "adamw": adamw,
        "coarse": best.replace(features=coarse),
        "coarse-adamw": adamw.replace(features=coarse),
        "rooms": best.replace(augment=replace(best.augment, **rooms)),
        # As many steps as the recipe: 2,000 clips by programs beside 2,500 by people.
        "voices": best.replace(synthetic_voices=100, flite_clips=100, epochs=(best.fit.epochs or 0) * 5 // 9),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--choose", action="store_true", help="run the trainings that choose")
    parser.add_argument("--candidate", choices=list(candidates()), help="train this one, whatever was chosen")
    parser.add_argument("--speakers", nargs="+", choices=SPEAKERS, default=SPEAKERS, help="leave out these, in turn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the full trainings (default: 0)")
    parser.add_argument("--table", action="store_true", help="train nothing, print what has been measured")
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if arguments.choose:
        names = [arguments.candidate] if arguments.candidate else list(candidates())
        for seed, pair, name in itertools.product(INNER_SEEDS, PAIRS, names):
            if set(pair) <= set(arguments.speakers):
                measure(name, pair, seed=seed, inner=True)
    elif not arguments.table:
        for seed in arguments.seeds:
            for speaker in arguments.speakers:
                measure(arguments.candidate or chosen(speaker), (speaker,), seed=seed, inner=False)
    print_tables(tables())


def measure(name: str, left_out: tuple[str, ...], *, seed: int, inner: bool) -> None:
    """Train one candidate without these speakers and keep its score on each of them."""
    path = result_path(name, left_out, seed, inner)
    if path.exists():
        return
    config = settings(name, left_out, seed, inner)
    started, busy = time.perf_counter(), processor_seconds()
    with tempfile.TemporaryDirectory() as out:
        run = train_recipe(config.replace(out=out))
        scores = {name: round(score, 4) for name, score in accuracy_by_speaker(*is_right(run)).items()}
        result = {
            "command": f"benchmarks/unseen_speakers.py {'--choose ' if inner else ''}--candidate {name}",
            "candidate": name,
            "left_out": left_out,
            "seed": seed,
            "accuracy": scores,
            "epochs": config.fit.epochs,
            "seconds": round(time.perf_counter() - started, 1),
            "processor_seconds": round(processor_seconds() - busy, 1),
            "parameters": run.facts["parameters"],
            "macs": run.facts["macs"],
            "split_rule": run.split_rule,
            "machine": run.facts["machine"],
            "versions": run.facts["versions"],
            "config": to_json(run.config),
        }
    write_result(path, result)
    print(path.name, scores, flush=True)


def settings(name: str, left_out: tuple[str, ...], seed: int, inner: bool) -> TrainConfig:
    """A candidate's settings for one training; shorter, and each clip run once, for those that choose."""
    config = candidates()[name].replace(leave_out=",".join(left_out), seed=seed)
    return config.replace(epochs=INNER_EPOCHS, tta_speeds=(1.0,)) if inner else config


def result_path(name: str, left_out: tuple[str, ...], seed: int, inner: bool) -> Path:
    return RESULTS / f"{'inner' if inner else 'outer'}-{name}-{'+'.join(left_out)}-{seed}.json"


def choices() -> list[str]:
    """The candidates that every pair has tried with every seed."""
    parts = [*itertools.product(PAIRS, INNER_SEEDS)]
    tried = [name for name in candidates() if all(result_path(name, *part, True).exists() for part in parts)]
    return [name for name in tried if name not in NOT_ALONE]


def chosen(speaker: str) -> str:
    """The candidate that did best, on average, on the other speakers, each left out together with this one."""
    names = choices()
    if not names:
        raise SystemExit("no candidate has been tried on every pair: run with --choose, or give --candidate")
    return max(names, key=lambda name: statistics.mean(scores_beside(speaker, name).values()))


def scores_beside(speaker: str, name: str) -> dict[str, float]:
    """A candidate's accuracy on each other speaker, in the short trainings that heard neither of the two."""
    scores = {}
    for pair in PAIRS:
        if speaker in pair:
            (other,) = set(pair) - {speaker}
            paths = [result_path(name, pair, seed, True) for seed in INNER_SEEDS]
            scores[other] = statistics.mean(json.loads(path.read_text())["accuracy"][other] for path in paths)
    return scores


def tables() -> dict[str, str]:
    """Scores of the trainings that choose, what chooses for each speaker, and scores of the trainings that count."""
    inner, outer = read_parts(RESULTS, "inner-*.json"), read_parts(RESULTS, "outer-*.json")
    names = dict.fromkeys(result["candidate"] for result in inner)
    # Those that only some pairs have tried stand beside the recipe in the same trainings.
    few = [name for name in names if name not in choices()]
    pairs = {tuple(result["left_out"]) for result in inner if result["candidate"] in few}
    same = [result for result in inner if tuple(result["left_out"]) in pairs and result["seed"] == 0]
    recipe = [result for result in same if result["candidate"] == RECIPE]
    return {
        "candidates": inner_table({name: of_candidate(inner, name) for name in choices()}),
        "choices": choices_table(),
        "others": inner_table({RECIPE: recipe, **{name: of_candidate(same, name) for name in few}}),
        "unseen": outer_table({"accuracy": of_candidate(outer, RECIPE)}),
        "outer": outer_table(
            {NAMES[name]: of_candidate(outer, name) for name in (RECIPE, "rooms", "voices")} | as_chosen(outer)
        ),
    }


def of_candidate(results: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [result for result in results if result["candidate"] == name]


def inner_table(rows: dict[str, list[dict[str, Any]]]) -> str:
    """Each candidate on each speaker, the mean over the short trainings that left him out."""
    scores = {name: [result["accuracy"] for result in results] for name, results in rows.items()}
    cells = {
        name: [_mean([accuracy[who] for accuracy in mine if who in accuracy]) for who in SPEAKERS]
        for name, mine in scores.items()
    }
    return markdown_table(("candidate", *SPEAKERS), [(NAMES[name], *row) for name, row in cells.items()])


def choices_table() -> str:
    """How the five others did in the trainings that left out a speaker beside one of them; the best is his choice."""
    scores = {(who, name): statistics.mean(scores_beside(who, name).values()) for who in SPEAKERS for name in choices()}
    best = {who: max(choices(), key=lambda name: scores[who, name]) for who in SPEAKERS if choices()}
    rows = [
        (
            f"`{name}`",
            *(f"**{scores[who, name]:.1%}**" if best[who] == name else f"{scores[who, name]:.1%}" for who in SPEAKERS),
        )
        for name in choices()
    ]
    return markdown_table(("chooses for", *SPEAKERS), rows)


def _mean(scores: list[float]) -> str:
    return f"{statistics.mean(scores):.1%}" if scores else ""


def as_chosen(results: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The trainings of what the others choose for each speaker, where all six have been made."""
    if not choices():
        return {}
    mine = [
        result for result in results if result["candidate"] == chosen(result["left_out"][0]) and result["seed"] == 0
    ]
    return {"what the five others choose for each": mine} if len(mine) == len(SPEAKERS) else {}


def outer_table(rows: dict[str, list[dict[str, Any]]]) -> str:
    """The speaker whom each full training left out, and the mean where each has been."""
    cells = [(name, *speaker_scores(results)) for name, results in rows.items()]
    return markdown_table(("left out", *SPEAKERS, "mean"), cells)


def speaker_scores(results: list[dict[str, Any]]) -> list[str]:
    scores = left_out_scores(results)
    # A mean of some speakers is not one to compare.
    mean = f"**{statistics.mean(scores.values()):.1%}**" if len(scores) == len(SPEAKERS) else ""
    return [*(f"{scores[who]:.1%}" if who in scores else "" for who in SPEAKERS), mean]


def left_out_scores(results: list[dict[str, Any]]) -> dict[str, float]:
    return {speaker: score for result in results for speaker, score in result["accuracy"].items()}


def figures() -> dict[str, str]:
    """Mean and worst of the recipe and of the one with voices beside it, and the minutes of a training."""
    outer = [result for result in read_parts(RESULTS, "outer-*.json") if result["seed"] == 0]
    found = {}
    for name in (RECIPE, "voices"):
        scores = left_out_scores(of_candidate(outer, name)).values()
        found |= {f"{name} mean": f"{statistics.mean(scores):.1%}", f"{name} worst": f"{min(scores):.1%}"}
        found[f"{name} best"] = f"{max(scores):.1%}"
    minutes = statistics.mean(result["processor_seconds"] for result in of_candidate(outer, RECIPE)) / 60
    return {**found, "minutes": f"{minutes:.0f}"}


if __name__ == "__main__":
    main()
