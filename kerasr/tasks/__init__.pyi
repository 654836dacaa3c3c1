from .base import Answer as Answer
from .base import Task as Task
from .classify import Classify as Classify
from .detect import Detect as Detect
from .registry import task_for as task_for
