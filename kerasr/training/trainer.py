"""From a config to a trained run: network, `fit`, checkpoints."""

import contextlib
import functools
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from kerasr.config import TrainConfig
from kerasr.core.cli import command_line
from kerasr.core.console import make_console
from kerasr.core.extras import require_extra
from kerasr.core.interruption import Interruption, Stopped
from kerasr.core.locks import hold_run
from kerasr.data.connected import ConnectedPipeline, connect
from kerasr.data.corpora import mark_used
from kerasr.data.manifest import Utterance
from kerasr.data.pipeline import Pipeline
from kerasr.data.sampling import Balance, class_weights, find_groups, find_strata
from kerasr.data.targets import Targets
from kerasr.errors import UserError
from kerasr.evaluation.calibration import calibrate
from kerasr.evaluation.length_factor import fit_length_factor
from kerasr.evaluation.rejection import choose_rejection
from kerasr.layers import fuse_batch_norms
from kerasr.models.head import encoder_layers, with_embedding
from kerasr.models.registry import builder
from kerasr.runs.facts import CHECKPOINT
from kerasr.runs.folder import update_facts
from kerasr.runs.run import Run, load_run
from kerasr.tasks.synthesize import Synthesize
from kerasr.training import tensorboard
from kerasr.training.callbacks import ProgressLine, RunCheckpoint, TrainingState
from kerasr.training.checkpoint import load_checkpoint
from kerasr.training.learner import Learner
from kerasr.training.optimizers import make_optimizer
from kerasr.training.phases import Phase, plan_phases
from kerasr.training.preparation import check_model, prepare_run
from kerasr.training.runtime import Runtime, decide_runtime, runtime_facts, under_precision
from kerasr.training.summary import print_summary
from kerasr.training.taught import Taught, arrange_batches, begins_with_front_end, is_arranged_in_model, losses_of
from kerasr.training.transfer import give_weights


def train_recipe(
    config: TrainConfig, *, console: Console | None = None, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> Run:
    """Train what the config says and write its run; `evaluate_run` then measures it on the test split.

    Args:
        config: the settings; `get_recipe` gives complete ones.
        console: where to write; the process's standard output where None.
        callbacks: Keras's, called after the run's own.

    Returns:
        The run, with its best weights.

    Raises:
        UserError: the recordings, the settings or the training itself have a fault that the message explains.
        KeyboardInterrupt: on Ctrl-C, once the step is done and saved; the message says how to go on (`Stopped`).
    """
    console = console or make_console()
    try:
        with Interruption():
            run = prepare_run(config, console)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the training had not begun, and nothing is saved") from None
    with _stopping_well(run) as interruption, hold_run(run.path):
        return _train(run, console, interruption, resume=False, callbacks=callbacks)


def resume_run(
    path: str | os.PathLike[str], *, console: Console | None = None, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> Run:
    """Go on with a run where its last checkpoint stands; it ends as if it had never stopped.

    To the bit on the same machine with as many threads: sums over other parts round otherwise (1e-6 of a weight).

    Args:
        path: the run's folder.
        console: where the progress is shown; the standard output where None.
        callbacks: Keras's, beside the training's own.

    Raises:
        UserError: there is no such run, it has ended, another process trains it, or its checkpoint is damaged.
        KeyboardInterrupt: as `train_recipe`.
    """
    run = load_run(path)
    if run.facts["status"] == "done":
        raise UserError(
            "run-finished", f"{run.path}: this run has ended; evaluate it with {command_line('evaluate', run.path)}"
        )
    with _stopping_well(run) as interruption, hold_run(run.path):
        # (It may have ended meanwhile: then there is nothing left to train.)
        run = load_run(run.path)
        if run.config.fit.epochs is None:
            raise UserError(
                "run-damaged", f"{run.path}: its settings say no number of epochs; restore them, or train again"
            )
        check_model(run.config, run.task)
        resume = (run.path / CHECKPOINT).exists()
        return _train(run, console or make_console(), interruption, resume=resume, callbacks=callbacks)


@contextlib.contextmanager
def _stopping_well(run: Run) -> Iterator[Interruption]:
    """On Ctrl-C, a training stops where nothing is lost, and says how to go on."""
    try:
        with Interruption(held=True) as interruption:
            yield interruption
    except KeyboardInterrupt:
        raise _how_to_go_on(run) from None


def _how_to_go_on(run: Run) -> Stopped:
    """What is saved, and what to type next."""
    run = load_run(run.path)
    if run.facts["status"] == "done":
        return Stopped("the training has ended", command_line("evaluate", run.path))
    command = command_line("train", "--resume", run.path)
    if not (run.path / CHECKPOINT).exists():
        return Stopped("nothing had been learnt yet", command)
    state = TrainingState.of(load_checkpoint(run.path / CHECKPOINT))
    return Stopped(f"what was learnt up to step {state.step} of epoch {state.epoch + 1} is saved", command)


def _train(
    run: Run,
    console: Console,
    interruption: Interruption,
    *,
    resume: bool,
    callbacks: Sequence[keras.callbacks.Callback],
) -> Run:
    """Fit a run's network from its beginning or its checkpoint, keeping the best weights."""
    config, task = run.config, run.task
    epochs = config.fit.epochs
    assert epochs is not None  # `prepare_run` decides them, and `resume_run` looks for them.
    runtime = decide_runtime(config)
    keras.utils.set_random_seed(config.runtime.seed)
    with under_precision(runtime.precision):
        options = _builder_options(config, runtime)
        network = task.build_network(builder(config.model.name), config.features, options)
    fuse_batch_norms(network, not runtime.xla)
    train, validation = _pipelines(run, runtime)
    validated = arrange_batches(validation.batches(), run, runtime)
    checkpoint = load_checkpoint(run.path / CHECKPOINT) if resume else None
    state = TrainingState.of(checkpoint) if checkpoint else TrainingState()
    if config.transfer.init_from and not checkpoint:
        give_weights(network, config.transfer.init_from)
    update_facts(run, **runtime_facts(runtime, network, len(config.model.tta_speeds)))
    print_summary(console, run, train, network, runtime)

    trained = _learner(run, network, runtime, train.group_shares)
    phases = plan_phases(config, epochs)
    # What the architecture was asked to keep as it is stays so.
    encoder = [layer for layer in encoder_layers(network) if layer.trainable]
    keeper = RunCheckpoint(
        run.path,
        task.whole_model(run.front_ends, network),
        num_steps=train.num_steps,
        state=state,
        resume=checkpoint,
        monitor=task.monitor,
        keep=config.fit.keep,
        patience=config.fit.patience,
        patience_from=phases[-1].first,
        best_from=phases[-1].first if config.fit.adversarial_weight else None,
        checkpoint_seconds=config.runtime.checkpoint_seconds,
        interruption=interruption,
    )
    line = ProgressLine(console, epochs, train.num_steps, state, task.monitor, task.doubt)
    with line, _faults_of(train, validation):
        watchers = [keeper, line, *_loggers(run, network), *callbacks]
        for phase in phases:
            if (state.epoch, state.step) > (phase.end, 0):
                continue
            interruption.obey()
            _begin_phase(phase, trained, encoder, run, runtime, train, validated)
            _fit(trained, run, runtime, state, phase.end, epochs, train, validated, watchers)
            # The checkpoint of a phase's end has that phase's optimiser, and the next phase has another.
            keeper.set_model(trained)
            keeper.restore()
    state.seconds = round(state.seconds, 1)
    update_facts(
        run,
        status="done",
        best_epoch=state.best_epoch + 1,
        epochs_run=state.epoch,
        train_seconds=state.seconds,
        **_group_facts(run, trained),
        rejection=choose_rejection(run),
        calibration=calibrate(run),
        length_factor=fit_length_factor(run),
    )
    if config.logging.tensorboard:
        tensorboard.write_end(run)
    return run


def _begin_phase(
    phase: Phase,
    trained: Learner,
    encoder: Sequence[keras.layers.Layer],
    run: Run,
    runtime: Runtime,
    train: Pipeline,
    validation: tf.data.Dataset,
) -> None:
    """Freeze or free the encoder (its batch statistics too), and compile with an optimiser for this phase alone."""
    config, task = run.config, run.task
    if config.transfer.init_from:
        for layer in encoder:
            layer.trainable = not phase.head_only
    trained.use_auxiliary(phase.auxiliary)
    optimizer = replace(config.optimizer, learning_rate=phase.rate * config.optimizer.learning_rate)
    trained.compile(
        optimizer=make_optimizer(optimizer, train.num_steps, phase.end - phase.first, runtime.precision),
        loss=losses_of(run, runtime),
        metrics=task.metrics(),
        jit_compile=runtime.xla,
    )
    # Makes every variable that a checkpoint holds: the metrics' exist once they have seen a batch.
    trained.evaluate(validation.take(1), verbose=0)
    trained.optimizer.build(trained.trainable_variables)
    trained.restart_average()


def _fit(
    trained: Learner,
    run: Run,
    runtime: Runtime,
    state: TrainingState,
    end: int,
    epochs: int,
    train: Pipeline,
    validation: tf.data.Dataset,
    watchers: Sequence[keras.callbacks.Callback],
) -> None:
    """Train from the state up to the epoch `end`, of `epochs` in all, or until somebody stops it."""
    num_steps = train.num_steps
    for first, steps, last in () if state.stopped else _segments(state, num_steps, end):
        trained.fit(
            arrange_batches(train.batches(epochs + 1, first_step=first * num_steps + num_steps - steps), run, runtime),
            epochs=last,
            initial_epoch=first,
            steps_per_epoch=steps,
            validation_data=validation,
            callbacks=watchers,
            shuffle=False,
            verbose=0,
        )
        if trained.stop_training:
            break


@contextlib.contextmanager
def _faults_of(*pipelines: Pipeline) -> Iterator[None]:
    """Raise a recording's own fault, where TensorFlow's error hides it."""
    try:
        yield
    except tf.errors.OpError as error:
        fault = next((pipeline.fault for pipeline in pipelines if pipeline.fault), None)
        if fault is None:
            raise
        raise fault from error


def _segments(state: TrainingState, num_steps: int, epochs: int) -> Iterator[tuple[int, int, int]]:
    """`(first epoch, steps an epoch, end)` of each call to `fit`: the rest of a begun epoch, then whole ones."""
    if state.step:
        yield state.epoch, num_steps - state.step, state.epoch + 1
    if state.epoch < epochs:
        yield state.epoch, num_steps, epochs


def _pipelines(run: Run, runtime: Runtime) -> tuple[Pipeline, Pipeline]:
    """The training and the validation split as batches."""
    config, task = run.config, run.task
    made = []
    for split in ("train", "validation"):
        utterances = run.utterances(split) if split == "validation" else task.repeat(run.utterances(split))
        mark_used(item.path for item in utterances)
        if split == "train" and config.most_joined:
            draw = functools.partial(_draw_strings, run, utterances)
            utterances, targets = draw(0)
            make = functools.partial(ConnectedPipeline, draw)
        else:
            targets = task.encode(utterances)
            make = functools.partial(Pipeline, utterances, targets)
        made.append(
            make(
                run.features,
                batch_size=config.fit.batch_size,
                batch_seconds=config.fit.batch_seconds,
                passes=config.fit.passes if split == "train" else 1,
                seed=config.runtime.seed,
                cache_folder=run.path if config.data.cache else None,
                waveforms=begins_with_front_end(task, runtime),
                **_training_options(run, utterances, targets) if split == "train" else {},
            )
        )
    return made[0], made[1]


def _draw_strings(run: Run, recordings: list[Utterance], number: int) -> tuple[list[Utterance], Targets]:
    """The strings of recordings to train on in a pass, and their targets."""
    strings = connect(recordings, run.config.most_joined, run.config.runtime.seed, number)
    return strings, run.task.encode(strings)


def _training_options(run: Run, utterances: list[Utterance], targets: Targets) -> dict[str, Any]:
    """What the training split's pipeline has beside the validation's: changes to clips, and what counts how much."""
    data, kinds = run.config.data, targets.kinds
    balanced = data.sampling == "balanced"
    groups = find_groups(utterances, data.balance_groups) if data.balance_groups else None
    balance = Balance(
        # Balanced sampling has done already what the weights are for.
        weights=None if kinds is None or balanced or not run.config.fit.class_weights else class_weights(kinds),
        strata=find_strata(kinds if balanced else None, groups),
        group_index=groups.index if groups else None,
    )
    return {"augment": run.config.augment, "noise": run.facts["corpus"]["noise"], "balance": balance}


def _builder_options(config: TrainConfig, runtime: Runtime) -> dict[str, Any]:
    """The model's options, with the implementation of recurrent layers decided where it has some."""
    return {**config.model.options, **({"implementation": runtime.implementation} if runtime.implementation else {})}


def _learner(run: Run, network: keras.Model, runtime: Runtime, group_shares: np.ndarray | None) -> Learner:
    """A model around the network to compile, so that the network itself is saved without an optimiser."""
    config = run.config
    teacher = load_run(config.transfer.teacher).network if config.transfer.teacher else None
    with under_precision(runtime.precision):
        auxiliary = run.task.auxiliary_loss(network, config.fit)
    network = with_embedding(network) if auxiliary and auxiliary.of_embedding else network
    inputs, outputs = network.input, network.output
    if begins_with_front_end(run.task, runtime):
        inputs = {"waveform": keras.Input((None,), name="waveform"), "num_samples": keras.Input((), name="num_samples")}
        features = run.features(inputs["waveform"], inputs["num_samples"])
        if is_arranged_in_model(run.task, runtime):
            inputs["targets"] = keras.Input((None,), dtype="int32", name="targets")
            losses: Any = run.task.loss(config.fit)
            outputs = Taught(network, run.task, losses)(features, inputs["targets"])
        else:
            outputs = run.task.learnt(network(features), config.features)
        teacher = keras.Model(inputs, teacher(features)) if teacher else None
    return Learner(
        inputs,
        outputs,
        task=run.task,
        loss=losses_of(run, runtime),
        teacher=teacher,
        teacher_weight=config.transfer.teacher_weight,
        temperature=config.transfer.temperature,
        auxiliary=auxiliary,
        group_shares=group_shares,
        average=config.optimizer.ema,
    )


def _group_facts(run: Run, trained: Learner) -> dict[str, Any]:
    """What each group weighs in the end, where groups were balanced."""
    if run.config.data.balance_groups is None:
        return {}
    names = find_groups(run.utterances("train"), run.config.data.balance_groups).names
    weights = keras.ops.convert_to_numpy(trained.group_weights).tolist()
    return {"group_weights": dict(zip(names, weights, strict=True))}


def _loggers(run: Run, network: keras.Model) -> list[keras.callbacks.Callback]:
    """TensorBoard and Weights & Biases, where asked for."""
    loggers: list[keras.callbacks.Callback] = []
    if run.config.logging.tensorboard:
        require_extra("tensorboard", "--tensorboard")
        tensorboard.write_beginning(run)
        loggers.append(keras.callbacks.TensorBoard(tensorboard.own_folder(run)))
        if isinstance(run.task, Synthesize):
            loggers.append(tensorboard.SaidSentences(run, network))
    if run.config.logging.wandb:
        require_extra("wandb", "--wandb")
        import wandb  # pyright: ignore[reportMissingImports]
        from wandb.integration.keras import WandbMetricsLogger  # pyright: ignore[reportMissingImports]

        # A run that is resumed goes on there, too; another one of this process, as of a search, is another one there.
        if "wandb_id" not in run.facts:
            update_facts(run, wandb_id=uuid.uuid4().hex)
        wandb.init(
            project="kerasr",
            id=run.facts["wandb_id"],
            name=run.path.name,
            dir=run.path,
            resume="allow",
            reinit="finish_previous",
        )
        loggers.append(WandbMetricsLogger())
    return loggers
