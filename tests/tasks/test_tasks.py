"""What a task may refuse before anything is trained, and how it is found."""

import dataclasses

import pytest
from _errors import raises
from _shared import SPEC

from kerasr.config import Augmentation, TaskConfig, TrainConfig
from kerasr.tasks import find_task, list_tasks
from kerasr.tasks.tag import Tag
from kerasr.training.preparation import check_model

WHOLE = dataclasses.replace(SPEC, clip_seconds=None)


class Sentence(Tag):
    """A task to which the order of sounds matters."""

    name = "sentence"
    blends = False
    keeps_order = True


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"features": WHOLE}, False),
        ({"features": SPEC}, True),
        ({"features": WHOLE, "augment": Augmentation(speed=(0.9, 1.1), tempo=(0.9, 1.1), silence=0.1)}, False),
        ({"features": WHOLE, "augment": Augmentation(mixup=0.2)}, True),
        ({"features": WHOLE, "augment": Augmentation(cutmix=0.2)}, True),
        ({"features": WHOLE, "augment": Augmentation(time_shift=0.1)}, True),
    ],
)
def test_a_task_that_wants_all_of_a_clip_refuses_what_cuts_it(settings, refused):
    config, task = TrainConfig().replace(**settings), Sentence(("a", "b"), TaskConfig())
    if refused:
        with raises("settings-conflict"):
            check_model(config, task)
    else:
        check_model(config, task)


def test_tasks_are_found_by_name_or_by_what_is_wanted():
    assert {"classify", "detect", "tag"} <= {*list_tasks()}
    assert find_task(TaskConfig()).name == "classify"
    assert find_task(TaskConfig(wanted="yes")).name == "detect"
    assert find_task(TaskConfig("tag", wanted="yes")).name == "tag"
    with raises("task-not-found"):
        find_task(TaskConfig("nothing"))
    with raises("setting-missing"):
        find_task(TaskConfig("detect"))(("a", "b"), TaskConfig("detect"))
