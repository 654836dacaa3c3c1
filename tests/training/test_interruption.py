"""How a command ends: with the exit code that it says, whatever its threads are doing, and on Ctrl-C without loss."""

import json
import os
import signal
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest
from _errors import raises
from _shared import quiet

from kerasr.config import to_json
from kerasr.core.interruption import Interruption
from kerasr.data.cache import ClipCache
from kerasr.errors import UserError
from kerasr.training.checkpoint import load_checkpoint
from kerasr.training.trainer import resume_run, train_recipe

# Trainings that end in different ways while batches are being read; in children of one process, since importing takes
# longer than all else. A child that hangs ends by SIGALRM.
ENDINGS = """
import json, os, signal, sys, time
import keras
from kerasr.core import cli
from kerasr.config import TrainConfig, from_json
from kerasr.data import pipeline
from kerasr.errors import UserError
from kerasr.training.trainer import train_recipe

read, name, config = pipeline.read_clip, "", from_json(TrainConfig, json.loads(sys.argv[1]))

class End(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if name == "user":
            raise UserError("recording-unreadable", "a.wav: is bad")
        if name == "odd":
            raise ValueError("odd")
        os.kill(os.getpid(), signal.SIGINT)

def read_slowly(*arguments):
    time.sleep(0.01)
    return read(*arguments)

codes = {}
for name in ("user", "odd", "interrupt"):
    if not (child := os.fork()):
        break
    codes[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if child:
    print(json.dumps(codes))
else:
    signal.alarm(60)
    pipeline.read_clip, sys.stdout = read_slowly, open(os.devnull, "w")
    cli.run_command(lambda _: train_recipe(config, callbacks=[End()]))
"""


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_exit_codes_are_right_while_threads_are_reading(short_config):
    config = json.dumps(to_json(short_config.replace(epochs=20, batch_size=4)))
    done = subprocess.run([sys.executable, "-c", ENDINGS, config], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"user": 2, "odd": 1, "interrupt": 130}, done.stderr
    assert done.stderr.count("error[recording-unreadable]: a.wav: is bad\n") == 1
    assert done.stderr.count("is saved\nnext    python -m kerasr.train --resume") == 1


@pytest.fixture(autouse=True)
def heeded():
    """What a shell starts in the background is told to ignore Ctrl-C, and these tests press it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Press(keras.callbacks.Callback):
    """Presses Ctrl-C in the middle of a step, counted from 0."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch, logs=None):
        if self.step == 0:
            os.kill(os.getpid(), signal.SIGINT)
        self.step -= 1


def stop_in(step, config):
    """What a training says that is stopped in a step."""
    with pytest.raises(KeyboardInterrupt) as stop:
        train_recipe(config, console=quiet(), callbacks=[Press(step)])
    return str(stop.value)


def test_ctrl_c_saves_the_step_and_the_run_goes_on_as_if_nothing_had_been(short_config):
    whole = train_recipe(short_config, console=quiet())
    steps = len(whole.utterances("train")) // short_config.fit.batch_size
    assert "up to step 0 of epoch 2 is saved" in stop_in(steps - 1, short_config.replace(epochs=2))
    said = stop_in(2, short_config)
    assert "up to step 3 of epoch 1 is saved; go on with python -m kerasr.train --resume " in said
    resumed = resume_run(said.rsplit(" ", 1)[1], console=quiet())
    expected, found = (load_checkpoint(run.path / "checkpoint.npz").arrays for run in (whole, resumed))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_ctrl_c_before_the_first_step_says_that_nothing_is_learnt(short_config, monkeypatch):
    class Early(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"nothing had been learnt yet; go on with .* --resume"):
        train_recipe(short_config, console=quiet(), callbacks=[Early()])
    monkeypatch.setattr("kerasr.training.trainer.prepare_run", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt, match="nothing is saved"):
        train_recipe(short_config, console=quiet())


def test_a_full_disk_in_the_middle_of_a_training_is_told_as_such(short_config, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ClipCache, "put", full)
    with pytest.raises(OSError, match="No space left"):
        train_recipe(short_config.replace(cache=True), console=quiet())


def press(*_):
    os.kill(os.getpid(), signal.SIGINT)


def in_a_block(*works, held=False):
    """Do some works in a block, and say how many were done."""
    done = 0
    try:
        with Interruption(held=held) as interruption:
            for work in works:
                work(interruption)
                done += 1
    except KeyboardInterrupt:
        return done, "interrupted"
    return done, "ended"


def lose(_):
    """Ctrl-C where Python swallows what is raised."""
    thing = set()
    reference = weakref.ref(thing, press)
    del thing
    assert reference() is None


def mistake(_):
    """Ctrl-C where others make another error of it."""
    try:
        press()
    except KeyboardInterrupt:
        raise ValueError("None values not supported") from None


def fail(_):
    raise UserError("run-damaged", "a fault of its own")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_becomes_of_ctrl_c_the_block_is_left_by_it():
    assert in_a_block(Interruption.obey) == (1, "ended")
    assert in_a_block(press, press) == (0, "interrupted")
    assert in_a_block(lose, lambda _: None) == (2, "interrupted")
    assert in_a_block(mistake) == (0, "interrupted")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_held_ctrl_c_waits_and_the_second_does_not():
    assert in_a_block(Interruption.obey, press, Interruption.obey, held=True) == (2, "interrupted")
    assert in_a_block(press, held=True) == (1, "interrupted")
    assert in_a_block(press, press, held=True) == (1, "interrupted")
    with raises("run-damaged"):
        in_a_block(press, fail, held=True)


def test_another_handler_stays():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        assert in_a_block(press) == (1, "ended")
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]
