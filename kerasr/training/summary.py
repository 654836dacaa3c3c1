"""What is about to be trained, on what and with what, in a few lines on the screen."""

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kerasr.core.console import is_watched, isolate
from kerasr.data.augment import feature_changes
from kerasr.data.manifest import SPLITS
from kerasr.data.pipeline import Pipeline, noise_seconds
from kerasr.runs.run import Run
from kerasr.tasks.base import list_words
from kerasr.training.runtime import Runtime
from kerasr.training.transfer import PSEUDO, SOURCE

# Labels that are listed; the others are counted.
MAX_LABELS = 40


def print_summary(console: Console, run: Run, train: Pipeline, network: keras.Model, runtime: Runtime) -> None:
    """Print a table of the run's settings, and of what somebody would not expect of them."""
    rows = {**_settings(run, train, network, runtime), **_origins(run), **_remarks(run, train)}
    if runtime.backend != "tensorflow" and (left_out := feature_changes(run.config.augment)):
        rows["note"] = f"{', '.join(left_out)}: not applied, as they need the TensorFlow backend"
    if not is_watched(console):
        # A table would fill each line with blanks, up to the longest.
        for name, text in rows.items():
            console.print(Text(f"{name:10}{text}"), soft_wrap=True)
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in rows.items():
        # As a `Text`: a console that takes markup would find some in a `str`.
        table.add_row(name, Text(text))
    console.print(table)


def _settings(run: Run, train: Pipeline, network: keras.Model, runtime: Runtime) -> dict[str, str]:
    """What every training has."""
    config, corpus, spec = run.config, run.facts["corpus"], run.config.features
    # Clips of any length cost what they are long.
    macs = f", {run.facts['macs'] / 1e6:.1f} M MACs" if run.facts["macs"] else ""
    implementation = f", recurrent layers {runtime.implementation}" if runtime.implementation else ""
    return {
        "corpus": f"{isolate(corpus['name'])}: {len(corpus['labels'])} labels, "
        + ", ".join(_size(run, name) for name in SPLITS),
        "labels": list_words(corpus["labels"], MAX_LABELS),
        "split": run.split_rule,
        "features": f"{spec.kind} {spec.shape[0] or 'any'} x {spec.num_features} "
        + (f"every {1000 * spec.hop_length / spec.sample_rate:g} ms" if spec.is_given else f"at {spec.sample_rate} Hz"),
        "model": f"{config.model.name}, {network.count_params():,} parameters{macs}",
        "training": f"{_count(config.fit.epochs, 'epoch')} of {_count(train.num_steps, 'step')}, "
        f"batch {train.batch_size}, seed {config.runtime.seed}",
        "runs on": f"{runtime.device} ({runtime.backend}), {runtime.precision}, XLA {'on' if runtime.xla else 'off'}"
        + implementation,
        "run": str(run.path),
    }


def _count(number: int | None, what: str) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{number} {what}{'s' * (number != 1)}"


def _size(run: Run, split: str) -> str:
    """How many recordings a split has, and of how many speakers."""
    utterances = run.utterances(split)
    speakers = len({item.speaker for item in utterances if item.speaker})
    return f"{split} {len(utterances):,}" + (f" ({speakers} speaker{'s' * (speakers != 1)})" if speakers else "")


def _origins(run: Run) -> dict[str, str]:
    """What comes from elsewhere than the recordings: other voices, other sound, other runs."""
    config, rows = run.config, {}
    if voices := run.facts.get("voices"):
        rows["voices"] = (
            f"{voices['clips']:,} of the training clips are in synthetic voices ({voices['language']}): "
            f"{', '.join(map(isolate, voices['labels']))}"
        )
    if negatives := run.facts.get("negatives"):
        rows["negatives"] = (
            f"{negatives['segments']:,} training clips are cut out of long recordings; "
            f"{negatives['segments_hard']:,} of them and {negatives['clips_hard']:,} others are hard negatives, "
            f"drawn {negatives['hard_repeats']} times an epoch"
        )
    for name in ("init_from", "teacher"):
        if path := getattr(config.transfer, name):
            rows[name.replace("_", " ")] = path
    if config.transfer.pseudo_labels:
        labelled = sum(item.extra.get(SOURCE) == PSEUDO for item in run.utterances("train"))
        where, least = config.transfer.pseudo_labels, config.transfer.pseudo_threshold
        rows["labelled"] = f"{labelled} recordings of {where}, at {least:g} or surer"
    return rows


def _remarks(run: Run, train: Pipeline) -> dict[str, str]:
    """What somebody should know before the training begins."""
    spec, rows = run.config.features, {}
    known = {*run.facts.get("train_speakers", ())}
    if run.facts.get("test_clips_known") or (known and any(item.speaker in known for item in run.utterances("test"))):
        rows["warning"] = (
            "the run that this one begins from or learns from was trained on speakers or recordings of the test: the "
            "score will be none on unseen speakers"
        )
    if (noise := run.facts["corpus"]["noise"]) and run.config.augment.uses_noise:
        rows["noise"] = f"{len(noise)} recordings, the first {noise_seconds(len(noise)):.3g} s of each"
    if run.config.data.cache:
        rows["cache"] = f"{train.cache_bytes / 1e6:.0f} MB in {run.path}"
    longer = sum((item.duration or 0) > (spec.clip_seconds or np.inf) for item in run.utterances("train"))
    if longer:
        rows["longer"] = (
            f"{longer} training clips are longer than {spec.clip_seconds:g} s: their middle is used "
            "(--features.clip-seconds)"
        )
    return rows
