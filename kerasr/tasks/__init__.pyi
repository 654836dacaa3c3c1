from .base import Answer as Answer
from .base import Label as Label
from .base import OutputSpec as OutputSpec
from .base import Task as Task
from .registry import find_task as find_task
from .registry import list_tasks as list_tasks
from .registry import register_task as register_task
from .trained import Trained as Trained
