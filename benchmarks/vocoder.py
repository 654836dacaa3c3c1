"""Vocoders that were trained here, beside Griffin-Lim: what recordings of GRID and its voice sound like by each.

    python benchmarks/vocoder.py                                    both
    python benchmarks/vocoder.py --parts vocoder-adversarial-0      one of them
    python benchmarks/vocoder.py --table                            print what has been measured

`vocoder-adversarial` is the recipe's, `vocoder-spectra` the same without a discriminator. Each makes the test's
recordings anew of their own energies, and speaks for `grid-voice` (`benchmarks/voice.py` trains it). The judges are
those of that voice; DNSMOS hears the validation's recordings, too, by which one of the two is to be chosen.
Results go to benchmarks/results/vocoder/. Runs stay in runs/voice/, and one that was killed is gone on with.
"""

from pathlib import Path
from typing import Any

import numpy as np
from _judges import DNSMOS, WHISPER, load_dnsmos
from _parts import RESULTS, RUNS, by_way, markdown_table, measure_ways, print_tables, recipe_in, train_in
from voice import (
    BY_VOCODER,
    GRID,
    INVERTED,
    RECORDINGS,
    SEARCHING,
    TRANSCRIBER,
    VOICE,
    judge_sounds,
    listeners,
    row_of,
)

import kerasr
from kerasr.audio.features import log_mel
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Utterance
from kerasr.evaluation.vocoder import measure_vocoder
from kerasr.inference.vocoder import compile_vocoder
from kerasr.runs.run import Run

# What a discriminator weighs, by the way to train.
WEIGHTS = {"vocoder-adversarial": 0.1, "vocoder-spectra": 0.0}
ANEW = "the vocoder of the recordings"


def main() -> None:
    print_tables(tables(measure_ways(__doc__, "vocoder", None, WEIGHTS, 1, measure)))


def measure(way: str, seed: int, epochs: int | None) -> dict[str, Any]:
    """Train a vocoder, and have what it makes judged."""
    config = kerasr.get_recipe("vocoder")
    settings = {"epochs": epochs or config.fit.epochs, "seed": seed, "adversarial_weight": WEIGHTS[way]}
    run, minutes = train_in(RUNS / "voice" / f"{way}-{seed}", config.replace(**settings))
    voice, _ = recipe_in("voice", GRID, GRID)
    items, score = run.utterances("test"), load_dnsmos()
    if learnt := {item.path for item in voice.utterances("test")} ^ {item.path for item in items}:
        raise SystemExit(f"the voice and the vocoder have other tests: {min(learnt)}")
    sounds = made_anew(run, voice, items)
    sounds[VOICE] = [voice.synthesize(item.text or "").waveform for item in items]
    speaker = voice.synthesizer_with(run)
    sounds[BY_VOCODER] = [next(speaker.say(item.text or "")).waveform for item in items]
    metrics, _ = measure_vocoder(run, items)
    kept = {name: metrics[name] for name in ("distortion_db", "griffin_lim_db", "num_clips", "parameters")}
    validation = made_anew(run, voice, run.utterances("validation"))
    return {
        "way": way,
        "seed": seed,
        "processor_minutes": minutes,
        "split_rule": run.split_rule,
        **kept,
        "real_time_factor": metrics["real_time_factor"],
        "validation": {name: score(waveforms) for name, waveforms in validation.items()} if score else {},
        "judges": judge_sounds(sounds, items, listeners(GRID)),
    }


def made_anew(run: Run, voice: Run, items: list[Utterance]) -> dict[str, list[np.ndarray]]:
    """The recordings, and what Griffin-Lim and a vocoder make of their energies."""
    spec = run.config.features
    recorded = [read_clip(item.path, spec) for item in items]
    energies = [np.asarray(log_mel(one[None], spec))[0] for one in recorded]
    made = {RECORDINGS: recorded}
    for name, vocoder in {INVERTED: None, ANEW: run}.items():
        make = compile_vocoder(voice.vocoder(vocoder), spec)
        made[name] = [make(one) for one in energies]
    return made


def tables(folder: Path = RESULTS / "vocoder") -> dict[str, str]:
    """What the judges say of recordings and of a voice, by Griffin-Lim and by each vocoder; and what these cost."""
    measured = {way: results[0] for way, results in by_way(folder, WEIGHTS).items()}
    if not measured:
        return {}
    judges = (TRANSCRIBER, SEARCHING, WHISPER)
    (first, *_) = measured.values()
    rows = [row_of(sound, first["judges"][sound], judges) for sound in (RECORDINGS, INVERTED, VOICE)]
    rows += [
        row_of(sound.replace("the vocoder", f"`{way}`"), result["judges"][sound], judges)
        for way, result in measured.items()
        for sound in (ANEW, BY_VOCODER)
    ]
    headings = ("GRID's test", *(f"WER, {judge}" for judge in judges), f"{DNSMOS}, overall")
    costs = ("vocoder", "parameters", "mel-cepstral distortion", f"{DNSMOS}, validation", "real-time factor", "minutes")
    return {
        "judges": markdown_table(headings, rows),
        "costs": markdown_table(costs, [_costs(way, result) for way, result in measured.items()]),
    }


def _costs(way: str, result: dict[str, Any]) -> tuple[str, ...]:
    minutes, heard = result["processor_minutes"], result["validation"].get(ANEW)
    return (
        f"`{way}`",
        f"{result['parameters']:,}",
        f"{result['distortion_db']:.1f} dB",
        "" if heard is None else f"{heard:.2f}",
        f"{result['real_time_factor']:.3f}",
        "" if minutes is None else f"{minutes:.0f}",
    )


if __name__ == "__main__":
    main()
