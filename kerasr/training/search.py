"""Hyper-parameters over a recipe's fields, by Optuna: the validation split decides, the test split is never used.

Akiba et al. 2019, https://arxiv.org/abs/1907.10902. A tree-structured Parzen estimator proposes the trials, and one
that does worse than the median of the others after as many epochs is pruned. A space with no more combinations than
there shall be trials is gone through instead, each of them once. Where seeds stand in the space, every trial trains
with each of them, and its score is the mean. All is kept in the search's folder: the study in `journal.log` and a run
for each training, so that a search that was killed goes on inside the very training.

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

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import keras

from kerasr.config import TrainConfig, to_json
from kerasr.core import atomic
from kerasr.core.console import make_console
from kerasr.core.extras import require_extra
from kerasr.errors import UserError
from kerasr.runs.folder import list_runs
from kerasr.runs.run import Run, load_run
from kerasr.tasks import find_task
from kerasr.training.search_space import Choices, SearchSpace, with_values
from kerasr.training.trainer import resume_run, train_recipe

if TYPE_CHECKING:
    import optuna

JOURNAL, RESULT = "journal.log", "search.json"

# Trials of a search, where nobody says how many.
NUM_TRIALS = 20

# Trials that are never pruned, and drawn at random: there is nothing to compare them with.
STARTUP_TRIALS = 5

# More than any training's epochs: those of each seed are counted from a multiple of it, so that a trial is pruned by
# what others did with the same seed.
EPOCHS_PER_SEED = 100_000

# Optuna's names for how a trial ends that has done its work.
ENDED = ("COMPLETE", "PRUNED")


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
        choices: what is searched, as `parse_space` reads it.
        folder: of this search.
        num_trials: how many there shall be, those of earlier calls included.

    Attributes:
        space: what is searched.

    Raises:
        UserError: Optuna is not installed, the space does not fit the config, or the folder holds another search.
    """

    def __init__(self, config: TrainConfig, choices: Choices, folder: Path, num_trials: int = NUM_TRIALS):
        self.config, self.folder, self._num_trials = config.derive(out=""), folder, num_trials
        self.space = SearchSpace(self.config, choices)
        self._combinations = self.space.combinations(num_trials)
        self.study = self._open()

    @property
    def num_left(self) -> int:
        """Trials that there shall still be: as many as were asked for, or as there are combinations not tried."""
        return self._num_trials - len(self.trials) if self._combinations is None else len(self._untried())

    def _untried(self) -> list[dict[str, Any]]:
        """The combinations that no trial has ended with, where they are few enough to try them all."""
        tried = [trial.params for trial in self.trials]
        return [values for values in self._combinations or () if values not in tried]

    @property
    def trials(self) -> list["optuna.trial.FrozenTrial"]:
        """Those that have ended: with a score, pruned, or (`reason` in `user_attrs`) gone wrong."""
        return [trial for trial in self.study.trials if trial.state.name in ENDED or "reason" in trial.user_attrs]

    @property
    def best(self) -> "optuna.trial.FrozenTrial | None":
        """The trial of the highest validation accuracy, and of the lowest loss among equals; None before the first.

        Both are means over the seeds.
        """
        scored = [trial for trial in self.trials if trial.state.name == "COMPLETE"]
        return max(scored, key=lambda trial: (trial.value, -trial.user_attrs["loss"]), default=None)

    def run_next(self) -> "optuna.trial.FrozenTrial":
        """One more trial, or the one that was cut short; returns it when it has ended.

        Raises:
            Exception: the first trial goes wrong, as others then would; a later one, as of a learning rate that is too
                high or a network that is too large for the memory, counts as a trial without a score.
        """
        import optuna

        if (untried := self._untried()) and not self.study.get_trials(states=[optuna.trial.TrialState.WAITING]):
            self.study.enqueue_trial(untried[0])
        trial = self.study.ask()
        values = self.space.suggest(trial)
        folder = trial.user_attrs.get("folder", f"trial-{trial.number:03}")
        trial.set_user_attr("folder", folder)
        try:
            scores = self._train(trial, values, self.folder / folder)
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
            trial.set_user_attr("loss", mean(score["loss"] for score in scores))
            trial.set_user_attr("scores", [score["score"] for score in scores])
            self.study.tell(trial, mean(score["score"] for score in scores))
        self._write()
        return self.study.trials[trial.number]

    def _train(self, trial: "optuna.Trial", values: Mapping[str, Any], folder: Path) -> list[dict[str, float]]:
        """What `run_trial` says of each of the trial's trainings."""
        if self.space.seeds is None:
            return [run_trial(self.config, values, str(folder), callbacks=[_pruner(trial, self.config)])]
        return [
            run_trial(
                self.config,
                {**values, "seed": seed},
                str(folder / f"seed-{seed}"),
                callbacks=[_pruner(trial, self.config, number * EPOCHS_PER_SEED)],
            )
            for number, seed in enumerate(self.space.seeds)
        ]

    def _open(self) -> "optuna.Study":
        require_extra("search", "a search")
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.folder.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(self.folder / JOURNAL)))
        study = optuna.create_study(study_name="search", storage=storage, direction="maximize", load_if_exists=True)
        asked = {"config": to_json(self.config), "space": self.space.to_json()}
        if study.user_attrs and study.user_attrs["asked"] != asked:
            raise UserError(
                "settings-conflict",
                f"{self.folder}: holds a search with other settings; name another folder with --out",
            )
        study.set_user_attr("asked", asked)
        for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            # Killed: its values come first now, and its training goes on where it stood.
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            # (A trial has its folder once it has all of its values.)
            if "folder" in trial.user_attrs:
                study.enqueue_trial(trial.params, user_attrs={"folder": trial.user_attrs["folder"]})
        # A sampler that began anew with the same seed would propose the first trials again.
        seed = self.config.runtime.seed + len(study.trials)
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        # Of several architectures one that learns more slowly may be the better one.
        several = len(self.space.models) > 1
        study.pruner = (
            optuna.pruners.NopPruner()
            if several
            else optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=3)
        )
        return study

    def _write(self) -> None:
        """`search.json`: what was found so far, for programs."""
        best = self.best
        rows = [
            {
                "number": trial.number,
                "values": trial.params,
                "score": trial.value if trial.state.name == "COMPLETE" else None,
                "scores": trial.user_attrs.get("scores", []),
                "folder": trial.user_attrs["folder"],
            }
            for trial in self.trials
        ]
        result = {
            "decided_by": "accuracy on the validation split",
            "seeds": self.space.seeds,
            "best": best and next(row for row in rows if row["number"] == best.number),
            "config": best and to_json(with_values(self.config, best.params)),
            "trials": rows,
        }
        atomic.write_bytes(self.folder / RESULT, f"{json.dumps(result, indent=2)}\n".encode())


def _pruner(trial: "optuna.Trial", config: TrainConfig, first: int = 0) -> keras.callbacks.Callback:
    """Reports each epoch, the first as number `first`, and prunes a trial that does worse than the others by then."""
    import optuna

    monitor = find_task(config.task).monitor_of(config.task)

    def report(epoch: int, logs: Mapping[str, float]) -> None:
        trial.report(monitor.score(logs), first + epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return keras.callbacks.LambdaCallback(on_epoch_end=report)
