"""Hyper-parameters over a recipe's fields, by Optuna: the validation split decides, the test split is never used.

Akiba et al. 2019, https://arxiv.org/abs/1907.10902. A tree-structured Parzen estimator proposes the trials, and one
that does worse than the median of the others after as many epochs is pruned. All is kept in the search's folder: the
study in `journal.log` and a run for each trial, so that a search that was killed goes on inside the very training.

Where one machine is not enough, `run_trial` is what a cluster's scheduler needs. With Ray Tune
(`pip install "ray[tune]"`), and recordings and a folder that all machines see under the same names from the root on:

    import kerasr
    from kerasr.training.search import run_trial
    from ray import tune

    config = kerasr.get_recipe("words").replace(data="/shared/my_words")
    tuner = tune.Tuner(
        lambda values: run_trial(config, values, f"/shared/search/{tune.get_context().get_trial_id()}"),
        param_space={"optimizer.learning_rate": tune.loguniform(1e-4, 1e-2)},
        tune_config=tune.TuneConfig(metric="score", mode="max", num_samples=100),
    )
    tuner.fit().get_best_result().config
"""

import dataclasses
import io
import json
import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from kerasr.config import TrainConfig, path_of, to_json
from kerasr.config.bounds import check_option
from kerasr.core import atomic
from kerasr.core.console import make_console
from kerasr.core.extras import require_extra
from kerasr.errors import UserError
from kerasr.models.registry import model_facts
from kerasr.runs.folder import list_runs
from kerasr.runs.run import Run, load_run
from kerasr.tasks import find_task
from kerasr.training.trainer import resume_run, train_recipe

if TYPE_CHECKING:
    import optuna

JOURNAL, RESULT = "journal.log", "search.json"

# A range whose ends are further apart than this factor is searched by orders of magnitude.
LOG_RATIO = 10

# Trials that are never pruned, and drawn at random: there is nothing to compare them with.
STARTUP_TRIALS = 5

# What stands before an architecture's own options in the place of a setting.
OPTIONS = "model.options."

# Settings that no search changes, and why.
UNSEARCHED = {
    "model.name": "each architecture has settings of its own; name one with --model",
    "model.options": "name one of them, as model.width",
    "logging.out": "a search has a folder for each trial",
}

# Optuna's names for how a trial ends that has done its work.
ENDED = ("COMPLETE", "PRUNED")

_RANGE = re.compile(r"(?P<low>[-+.\w]+?)\.\.(?P<high>[-+.\w]+)")


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`, both included; whole ones where both ends are, and the setting takes no others."""

    low: float
    high: float

    @property
    def log(self) -> bool:
        """Whether it is searched by orders of magnitude."""
        return self.low > 0 and self.high / self.low >= LOG_RATIO


Space = dict[str, Span | tuple[Any, ...]]


def parse_space(text: str) -> Space:
    """The fields to search and where: `optimizer.learning_rate=1e-4..1e-2,model.width=0.5|1|2`.

    Raises:
        UserError: a part is not like that.
    """
    space: Space = {}
    for part in text.split(","):
        name, equals, values = (piece.strip() for piece in part.partition("="))
        if not (name and equals and values):
            raise UserError(
                "search-space-invalid",
                f"--space {part!r}: give name=low..high or name=one|another, with commas between them",
            )
        if name in space:
            raise UserError("search-space-invalid", f"--space: {name} stands there twice")
        if match := _RANGE.fullmatch(values):
            low, high = (_value(match[end]) for end in ("low", "high"))
            numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
            if not numbers or low >= high:
                raise UserError("search-space-invalid", f"--space {part!r}: a range goes from a number to a larger one")
            space[name] = Span(low, high)
        else:
            space[name] = tuple(_value(value.strip()) for value in values.split("|"))
    return space


def _value(text: str) -> Any:
    """A number, True, False or None where the text is one, else the text."""
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def with_values(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """The config with fields named as on the command line, `optimizer.learning_rate` or `model.width`, changed.

    Raises:
        UserError: there is no such field, or it cannot have this value.
    """
    for name, value in values.items():
        config = _with_value(config, name, value)
    return config


def _with_value(config: TrainConfig, name: str, value: Any) -> TrainConfig:
    try:
        path = path_of(name)
    except UserError as error:
        raise UserError("search-space-invalid", f"--space {error}") from None
    if path in UNSEARCHED:
        raise UserError("search-space-invalid", f"--space {name}: {UNSEARCHED[path]}")
    if path.startswith(OPTIONS):
        option, options = path.removeprefix(OPTIONS), model_facts(config.model.name).options
        if option not in options:
            known = ", ".join(options) or "none"
            raise UserError(
                "search-space-invalid", f"--space {name}: {config.model.name} has no such option; it has {known}"
            )
        check_option(option, value, options[option])
    elif isinstance(config.value_of(path), tuple):
        raise UserError(
            "search-space-invalid", f"--space {name}: is a group of values, and one value is searched at a time"
        )
    return config.derive(**{path: value})


def _as_setting(config: TrainConfig, name: str, choices: Span | tuple[Any, ...]) -> Span | tuple[Any, ...]:
    """The choices; a range of a share or a rate is not of whole numbers, however it was written."""
    path = path_of(name)
    options = model_facts(config.model.name).options
    before = options[path.removeprefix(OPTIONS)] if path.startswith(OPTIONS) else config.value_of(path)
    if isinstance(choices, Span) and isinstance(before, float):
        return Span(float(choices.low), float(choices.high))
    return choices


def run_trial(
    config: TrainConfig,
    values: Mapping[str, Any],
    folder: str,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, float]:
    """Train with some values, or go on with the training in `folder`, and say how well it does on the validation split.

    Args:
        config: everything that the values do not say.
        values: of fields, named as in `with_values`.
        folder: of this trial alone; its run goes into it.
        callbacks: Keras's, which see each epoch.

    Returns:
        `score`, the validation accuracy of the weights that are kept, and `loss`, their validation loss.
    """
    # What a trial prints is its run's business: the search has its own line.
    console = make_console(file=io.StringIO())
    if begun := list_runs(folder):
        run = load_run(begun[0])
        if run.facts["status"] != "done":
            run = resume_run(run.path, console=console, callbacks=callbacks)
    else:
        trial = with_values(config, values).derive(out=folder)
        run = train_recipe(trial, console=console, callbacks=callbacks)
    return _score(run)


def _score(run: Run) -> dict[str, float]:
    row = run.history[run.facts["best_epoch"] - 1]
    return {"score": run.task.monitor.score(row), "loss": row["val_loss"]}


class Search:
    """A search's folder: begun where it is new, gone on with where it is not.

    Args:
        config: the recipe with its changes; its `out` is where a trial's run would go and is not used.
        space: what is searched.
        folder: of this search.

    Raises:
        UserError: Optuna is not installed, the space does not fit the config, or the folder holds another search.
    """

    def __init__(self, config: TrainConfig, space: Space, folder: Path):
        self.config, self.folder = config.derive(out=""), folder
        for name, choices in space.items():
            for value in (choices.low, choices.high) if isinstance(choices, Span) else choices:
                with_values(config, {name: value})
        self.space = {name: _as_setting(config, name, choices) for name, choices in space.items()}
        self.study = self._open()

    @property
    def trials(self) -> list["optuna.trial.FrozenTrial"]:
        """Those that have ended: with a score, pruned, or (`reason` in `user_attrs`) gone wrong."""
        return [trial for trial in self.study.trials if trial.state.name in ENDED or "reason" in trial.user_attrs]

    @property
    def best(self) -> "optuna.trial.FrozenTrial | None":
        """The trial of the highest validation accuracy, and of the lowest loss among equals; None before the first."""
        scored = [trial for trial in self.trials if trial.state.name == "COMPLETE"]
        return max(scored, key=lambda trial: (trial.value, -trial.user_attrs["loss"]), default=None)

    def run_next(self) -> "optuna.trial.FrozenTrial":
        """One more trial, or the one that was cut short; returns it when it has ended.

        Raises:
            Exception: the first trial goes wrong, as others then would; a later one, as of a learning rate that is too
                high or a network that is too large for the memory, counts as a trial without a score.
        """
        import optuna

        trial = self.study.ask()
        values = {name: _suggest(trial, name, choices) for name, choices in self.space.items()}
        folder = trial.user_attrs.get("folder", f"trial-{trial.number:03}")
        trial.set_user_attr("folder", folder)
        try:
            found = run_trial(self.config, values, str(self.folder / folder), callbacks=[_pruner(trial, self.config)])
        except optuna.TrialPruned:
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{self.folder} is saved; go on with the same command") from None
        except Exception as error:
            first = not self.trials
            if not first:
                trial.set_user_attr("reason", str(error) or type(error).__name__)
            # Told in any case: a trial that is left running is begun again by the next call.
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            if first:
                raise
        else:
            trial.set_user_attr("loss", found["loss"])
            self.study.tell(trial, found["score"])
        self._write()
        return self.study.trials[trial.number]

    def _open(self) -> "optuna.Study":
        require_extra("search", "a search")
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.folder.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(self.folder / JOURNAL)))
        study = optuna.create_study(study_name="search", storage=storage, direction="maximize", load_if_exists=True)
        asked = {"config": to_json(self.config), "space": _space_json(self.space)}
        if study.user_attrs and study.user_attrs["asked"] != asked:
            raise UserError(
                "settings-conflict",
                f"{self.folder}: holds a search with other settings; name another folder with --out",
            )
        study.set_user_attr("asked", asked)
        for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            # Killed: its values come first now, and its training goes on where it stood.
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if set(trial.params) == set(self.space) and "folder" in trial.user_attrs:
                study.enqueue_trial(trial.params, user_attrs={"folder": trial.user_attrs["folder"]})
        # A sampler that began anew with the same seed would propose the first trials again.
        seed = self.config.runtime.seed + len(study.trials)
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=3)
        return study

    def _write(self) -> None:
        """`search.json`: what was found so far, for programs."""
        best = self.best
        rows = [
            {
                "number": trial.number,
                "values": trial.params,
                "score": trial.value if trial.state.name == "COMPLETE" else None,
                "folder": trial.user_attrs["folder"],
            }
            for trial in self.trials
        ]
        result = {
            "decided_by": "accuracy on the validation split",
            "best": best and {"values": best.params, "score": best.value, "folder": best.user_attrs["folder"]},
            "config": best and to_json(with_values(self.config, best.params)),
            "trials": rows,
        }
        atomic.write_bytes(self.folder / RESULT, f"{json.dumps(result, indent=2)}\n".encode())


def _suggest(trial: "optuna.Trial", name: str, choices: Span | tuple[Any, ...]) -> Any:
    if not isinstance(choices, Span):
        return trial.suggest_categorical(name, choices)
    if isinstance(choices.low, int) and isinstance(choices.high, int):
        return trial.suggest_int(name, choices.low, choices.high, log=choices.log)
    return trial.suggest_float(name, choices.low, choices.high, log=choices.log)


def _space_json(space: Space) -> dict[str, Any]:
    return {name: [*dataclasses.astuple(item)] if isinstance(item, Span) else [*item] for name, item in space.items()}


def _pruner(trial: "optuna.Trial", config: TrainConfig) -> keras.callbacks.Callback:
    """Reports each epoch, and prunes a trial that does worse than the others did by then."""
    import optuna

    monitor = find_task(config.task).monitor

    def report(epoch: int, logs: Mapping[str, float]) -> None:
        trial.report(monitor.score(logs), epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return keras.callbacks.LambdaCallback(on_epoch_end=report)
