"""Which task a run is for."""

from kerasr.tasks.base import Task
from kerasr.tasks.classify import Classify
from kerasr.tasks.detect import Detect


def task_for(labels: tuple[str, ...], wanted: str | None) -> Task:
    """The detector of the wanted word where there is one, else the classifier of all words."""
    return Classify(labels) if wanted is None else Detect(labels, wanted)
