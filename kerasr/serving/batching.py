"""Requests that wait a moment for company, and run together.

What can be joined: requests to one signature of one version whose tensors have equal shapes but for their first axis.
Nothing is padded. Everything but the model itself runs in the event loop's thread, and so needs no locks.
"""

import asyncio
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from kerasr.serving.metrics import Metrics
from kerasr.serving.servable import Servable, Signature
from kerasr.serving.status import Code, ServingError, as_serving_error, invalid

Arrays = dict[str, np.ndarray]
Answers = list[Arrays | ServingError]

# tensorflow/core/kernels/batching_util/shared_batch_scheduler.h, Queue::Schedule.
FULL = "The batch scheduling queue to which this task was submitted is full"


@dataclass(frozen=True)
class BatchOptions:
    """How requests are joined.

    Attributes:
        max_batch_size: most rows that run together.
        timeout_seconds: how long a request waits for company while the processor is free.
        max_enqueued_batches: batches of that size that may wait for each signature; what comes on top is refused.
        num_threads: batches that run at the same time.
    """

    max_batch_size: int
    timeout_seconds: float
    max_enqueued_batches: int
    num_threads: int


@dataclass(eq=False)
class Task:
    """Rows that wait for their turn, and their answer to come."""

    inputs: Arrays
    num_rows: int
    answer: "asyncio.Future[Arrays]"
    since: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class Group:
    """Tasks that can be joined.

    The servable is held so that its variables outlive the last request, whose client may be gone.
    """

    servable: Servable
    signature: Signature
    tasks: deque[Task] = field(default_factory=deque)
    num_rows: int = 0


class Batcher:
    """Runs signatures, several requests at a time.

    Args:
        options: how.
        metrics: counts the batches.

    Attributes:
        options: as given.
        max_rows: that can wait for a signature.
    """

    def __init__(self, options: BatchOptions, metrics: Metrics):
        self.options, self._metrics = options, metrics
        self._executor = ThreadPoolExecutor(options.num_threads, thread_name_prefix="model")
        self._num_idle = options.num_threads
        self.max_rows = options.max_batch_size * options.max_enqueued_batches
        # By what their tasks have in common.
        self._groups: dict[tuple, Group] = {}
        self._num_waiting: Counter[tuple[str, str]] = Counter()
        self._running: set[asyncio.Task] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def max_held(self) -> int:
        """Rows that can wait for a signature or run, which is also as many requests."""
        return self.max_rows + self.options.max_batch_size * self.options.num_threads

    async def run(self, servable: Servable, signature: Signature, inputs: Arrays) -> Arrays:
        """Run a signature on the inputs of one request, in company if there is some.

        Raises:
            ServingError: UNAVAILABLE, if too much is waiting already; INVALID_ARGUMENT, if it could never wait; else
                what the model says.
        """
        queue = (servable.model, signature.name)
        num_rows = _count_rows(inputs) if signature.is_batched else 1
        signature.check_rows(num_rows, self.max_rows)
        if self._num_waiting[queue] + num_rows > self.max_rows:
            raise ServingError(Code.UNAVAILABLE, FULL)
        pieces = self._pieces(inputs, num_rows) if signature.is_batched else [(inputs, 1)]
        tasks = [self._enqueue(servable, signature, *piece) for piece in pieces]
        self._dispatch()
        try:
            answers = await asyncio.gather(*(task.answer for task in tasks))
        finally:
            # Where a piece failed, or the client went away, nobody waits for the others.
            for task in tasks:
                task.answer.cancel()
        return answers[0] if len(answers) == 1 else _join(answers)

    def close(self) -> None:
        """Wait for what runs."""
        self._executor.shutdown()

    def _pieces(self, inputs: Arrays, num_rows: int) -> list[tuple[Arrays, int]]:
        """The rows of a request, as many at a time as may run together, and how much room each piece takes."""
        step = self.options.max_batch_size
        return [
            ({name: value[start : start + step] for name, value in inputs.items()}, min(step, num_rows - start))
            for start in range(0, num_rows, step)
        ]

    def _enqueue(self, servable: Servable, signature: Signature, inputs: Arrays, num_rows: int) -> Task:
        task = Task(inputs, num_rows, asyncio.get_running_loop().create_future())
        shapes = tuple((name, value.shape[1:]) for name, value in sorted(inputs.items()))
        # What cannot be joined is a group of its own.
        key = (servable, signature.name, shapes if signature.is_batched else task)
        group = self._groups.setdefault(key, Group(servable, signature))
        group.tasks.append(task)
        self._count(group, num_rows)
        return task

    def _count(self, group: Group, num_rows: int) -> None:
        group.num_rows += num_rows
        self._num_waiting[group.servable.model, group.signature.name] += num_rows
        self._metrics.waiting.labels(group.servable.model).inc(num_rows)

    def _dispatch(self) -> None:
        """Start what can start now, and look again when the next one should."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._num_idle and self._groups:
            key = self._next()
            if key is None:
                break
            group = self._groups[key]
            tasks = self._take(group)
            if not group.tasks:
                del self._groups[key]
            if tasks:
                self._num_idle -= 1
                running = asyncio.create_task(self._run(group, tasks))
                self._running.add(running)
                running.add_done_callback(self._running.discard)

    def _next(self) -> tuple | None:
        """The group to run: the one that has waited longest, if it has waited long enough, or a full one.

        In this order: a shape that always has a full batch waiting would keep all others out.
        """
        oldest = min(self._groups, key=lambda key: self._groups[key].tasks[0].since)
        rest = self._groups[oldest].tasks[0].since + self.options.timeout_seconds - time.monotonic()
        if rest <= 0:
            return oldest
        for key, group in self._groups.items():
            if group.num_rows >= self.options.max_batch_size or not group.signature.is_batched:
                return key
        self._timer = asyncio.get_running_loop().call_later(rest, self._dispatch)
        return None

    def _take(self, group: Group) -> list[Task]:
        """The next batch of a group, without those whose clients are gone."""
        tasks: list[Task] = []
        num_rows = 0
        while group.tasks and num_rows + group.tasks[0].num_rows <= self.options.max_batch_size:
            task = group.tasks.popleft()
            self._count(group, -task.num_rows)
            if not task.answer.done():
                tasks.append(task)
                num_rows += task.num_rows
        return tasks

    async def _run(self, group: Group, tasks: list[Task]) -> None:
        self._metrics.batch_rows.labels(group.servable.model).observe(sum(task.num_rows for task in tasks))
        self._metrics.batch_requests.labels(group.servable.model).observe(len(tasks))
        work = asyncio.get_running_loop().run_in_executor(
            self._executor, run_together, group.signature, [task.inputs for task in tasks]
        )
        try:
            answers = await work
        except Exception as error:
            # There was no memory to join them, say.
            answers: Answers = [as_serving_error(error)] * len(tasks)
        self._num_idle += 1
        for task, answer in zip(tasks, answers, strict=True):
            if task.answer.done():
                continue
            if isinstance(answer, ServingError):
                task.answer.set_exception(answer)
            else:
                task.answer.set_result(answer)
        self._dispatch()


def _count_rows(inputs: Arrays) -> int:
    """The rows of a request; no rows take the room of one."""
    if any(not value.ndim for value in inputs.values()):
        raise invalid("Batching Run() input tensors must have at least one dimension")
    sizes = {len(value) for value in inputs.values()}
    if len(sizes) > 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return max(1, sizes.pop())


def run_together(signature: Signature, requests: list[Arrays]) -> Answers:
    """The answers to several requests of equal shapes, each of which succeeds or fails by itself."""
    if len(requests) == 1:
        return [_run_one(signature, requests[0])]
    joined = _run_one(signature, _join(requests))
    if isinstance(joined, ServingError):
        # One of them is to blame: a bad WAV file fails the whole graph.
        return [_run_one(signature, inputs) for inputs in requests]
    ends = np.cumsum([len(next(iter(inputs.values()))) for inputs in requests])
    if any(len(value) != ends[-1] for value in joined.values()):
        # Its answers are not row by row, whatever its description says.
        return [_run_one(signature, inputs) for inputs in requests]
    starts = [0, *ends[:-1]]
    return [{name: value[start:end] for name, value in joined.items()} for start, end in zip(starts, ends, strict=True)]


def _run_one(signature: Signature, inputs: Arrays) -> Arrays | ServingError:
    try:
        return signature.run(inputs)
    except ServingError as error:
        return error


def _join(parts: list[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
