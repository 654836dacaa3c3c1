"""What watches over a training: the best weights, the history, the checkpoints, the line on the screen."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_type_hints

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kerasr.config import fault_of_type
from kerasr.core import atomic
from kerasr.core.interruption import Interruption
from kerasr.core.progress import LINE_SECONDS, print_progress
from kerasr.core.scores import ACCURACY, Monitor
from kerasr.core.timing import format_seconds
from kerasr.errors import UserError
from kerasr.runs.facts import CHECKPOINT, HISTORY, MODEL
from kerasr.runs.history import write_history
from kerasr.training.checkpoint import Checkpoint, save_checkpoint


@dataclass
class TrainingState:
    """Where a training stands, and what was the best so far; goes into the checkpoint.

    Attributes:
        epoch: the epoch that is trained, from 0.
        step: steps of it that are done.
        best_epoch: the epoch whose weights are kept.
        top_epoch: the epoch of the best score, for patience.
        top_score: what is monitored of it (below 0 where low is good), and its validation loss below 0.
        stopped: patience has ended the training.
        seconds: time spent.
        history: a row of numbers an epoch.
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = -1
    top_epoch: int = -1
    top_score: list[float] = field(default_factory=lambda: [-math.inf, -math.inf])
    stopped: bool = False
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "TrainingState":
        """What a checkpoint holds.

        Raises:
            UserError: it holds another version's.
        """
        hints = get_type_hints(cls)
        try:
            state = cls(**checkpoint.state)
        except TypeError:
            state = None
        if state is None or any(fault_of_type(getattr(state, name), kind) for name, kind in hints.items()):
            raise UserError(
                "run-of-another-version",
                f"{checkpoint.path}: this checkpoint is of another version of kerasr; remove its folder, and train "
                "again",
            )
        return state


class RunCheckpoint(keras.callbacks.Callback):
    """Keeps the best weights, the history and a checkpoint, and stops a training that has gone wrong or stale.

    The best epoch is the one of the best value that is monitored, and of lowest validation loss among equals. Where the
    learner averages the weights, it is the average that is kept.

    Args:
        folder: the run's folder.
        joined: the model to save, which shares the trained network's weights.
        num_steps: steps in an epoch.
        monitor: what is monitored, and whether high or low is good.
        state: where to begin.
        resume: variables to begin with, restored when the first epoch begins.
        keep: `best` keeps the weights of the best epoch; `last` takes each epoch for a better one.
        patience: epochs without a better score before the training stops; None never stops it.
        patience_from: the epoch from which they count.
        best_from: the first epoch of another loss: it is better than all before it; None where the loss stays.
        checkpoint_seconds: time between checkpoints inside an epoch.
        interruption: is obeyed where nothing is lost.
    """

    def __init__(
        self,
        folder: Path,
        joined: keras.Model,
        *,
        num_steps: int,
        monitor: Monitor = ACCURACY,
        state: TrainingState,
        resume: Checkpoint | None = None,
        keep: Literal["best", "last"] = "best",
        patience: int | None = None,
        patience_from: int = 0,
        best_from: int | None = None,
        checkpoint_seconds: float = 30.0,
        interruption: Interruption | None = None,
    ):
        super().__init__()
        self.state = state
        self._folder = folder
        self._joined = joined
        self._num_steps = num_steps
        self._monitor = monitor
        self._resume = resume
        self._keep = keep
        self._patience = patience
        self._patience_from = patience_from
        self._best_from = best_from
        self._checkpoint_seconds = checkpoint_seconds
        self._interruption = interruption or Interruption()
        self._clock = self._saved = time.monotonic()

    def restore(self) -> None:
        """Set the model's variables to what was saved, if they are not yet."""
        if self._resume is not None:
            self._resume.restore(self.model)
            if self.state.step == 0:
                self.model.reset_metrics()
            self._resume = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Restore what was saved, now that `fit` has cleared the metrics."""
        self._interruption.obey()
        self.restore()
        self._first_step = self.state.step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the step, look at the loss, and save now and then."""
        self.state.step = self._first_step + batch + 1
        self._stop_at_nan(logs or {})
        due = self._interruption.asked or time.monotonic() - self._saved >= self._checkpoint_seconds
        # After an epoch's last step, `on_epoch_end` saves.
        if due and self.state.step < self._num_steps:
            self._save()
            self._interruption.obey()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Judge the epoch, write the history, and save."""
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self._stop_at_nan(logs)
        state = self.state
        score = self._monitor.rank(logs)
        is_top = score > state.top_score or epoch == self._best_from
        if is_top:
            state.top_epoch, state.top_score = epoch, score
        if is_top or self._keep == "last":
            state.best_epoch = epoch
            self._save_model()
        state.epoch, state.step = epoch + 1, 0
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        state.history.append({"epoch": epoch + 1, **logs, "learning_rate": rate})
        write_history(self._folder / HISTORY, state.history)
        waited = epoch - max(state.top_epoch, self._patience_from)
        state.stopped = self._patience is not None and waited >= self._patience
        self._save()
        self._interruption.obey()
        if state.stopped:
            self.model.stop_training = True

    def _stop_at_nan(self, logs: dict[str, Any]) -> None:
        loss = float(logs.get("loss", 0.0))
        if math.isfinite(loss):
            return
        kept = f"the weights of epoch {self.state.best_epoch + 1} are kept in {self._folder / MODEL}"
        raise UserError(
            "loss-not-finite",
            f"the loss became {loss} in epoch {self.state.epoch + 1}, step {self.state.step}; "
            + (kept if self.state.best_epoch >= 0 else "no epoch had ended")
            + "; try --precision float32 or a lower --optimizer.learning-rate",
        )

    def _save(self) -> None:
        now = time.monotonic()
        self.state.seconds += now - self._clock
        self._clock = self._saved = now
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()  # Inside an epoch, JAX keeps the variables' values to itself.
        save_checkpoint(self._folder / CHECKPOINT, self.model, asdict(self.state))

    def _save_model(self) -> None:
        with atomic.new_file(self._folder / MODEL) as beside, self.model.averaged_weights(), _thawed(self._joined):
            self._joined.save(beside)


@contextlib.contextmanager
def _thawed(model: keras.Model) -> Iterator[None]:
    """All layers trainable: whoever loads a model does not expect some to be frozen, as they are for a new head."""
    frozen = list(_frozen_layers(model))
    for layer in frozen:
        layer.trainable = True
    try:
        yield
    finally:
        for layer in frozen:
            layer.trainable = False


def _frozen_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _frozen_layers(layer)
        elif not layer.trainable:
            yield layer


class ProgressLine(keras.callbacks.Callback):
    """A line an epoch, and below them one bar for the whole training.

    Where the output is no terminal there is no bar, and in a long epoch a line now and then.

    Args:
        console: where to write.
        epochs: epochs in all.
        num_steps: steps in an epoch.
        state: where the training stands, as `RunCheckpoint` counts it.
        monitor: what is monitored, which is shown.
        doubt: why the training may be in vain, from the scores of an epoch, else None; asked after a third of all.
    """

    def __init__(
        self,
        console: Console,
        epochs: int,
        num_steps: int,
        state: TrainingState,
        monitor: Monitor = ACCURACY,
        doubt: Callable[[Mapping[str, Any]], str | None] | None = None,
    ):
        super().__init__()
        self._console = console
        self._doubt = doubt
        self._epochs = epochs
        self._num_steps = num_steps
        self._state = state
        self._monitor = monitor
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/" + str(epochs), markup=False),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}  validation {task.fields[score]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=epochs * num_steps, epoch=1, loss="-", score="-")

        self._started = self._written = time.monotonic()
        self._first = self._done

    @property
    def _done(self) -> int:
        """Steps that are done, those of earlier processes included."""
        return self._state.epoch * self._num_steps + self._state.step

    def __enter__(self) -> "ProgressLine":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar."""
        epoch, loss = self._state.epoch + 1, f"{float((logs or {})['loss']):.3f}"
        self._progress.update(self._task, completed=self._done, epoch=epoch, loss=loss)
        if self._progress.disable and time.monotonic() - self._written > LINE_SECONDS:
            self._print(f"epoch {epoch}/{self._epochs}  step {self._state.step}/{self._num_steps}  loss {loss}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the epoch's validation score."""
        logs = logs or {}
        name, write = self._monitor.name, self._monitor.format
        score = write(logs[self._monitor.column])
        self._progress.update(self._task, score=score)
        number = f"{epoch + 1:{len(str(self._epochs))}}/{self._epochs}"
        own = "" if name == "loss" else f"  {name} {write(logs[name])}"
        self._print(f"epoch {number}  loss {logs['loss']:.3f}{own}  validation {score}")
        third = math.ceil(self._epochs / 3)
        if self._doubt and epoch + 1 == third < self._epochs and (doubt := self._doubt(logs)):
            print_progress(self._console, f"warning: {doubt}")

    def _print(self, line: str) -> None:
        """A line, with the time that the rest of the training takes at the rate so far."""
        self._written = time.monotonic()
        steps = self._epochs * self._num_steps
        left = (self._written - self._started) * (steps - self._done) / max(self._done - self._first, 1)
        print_progress(self._console, line + (f"  about {format_seconds(left)} left" if left else ""))
