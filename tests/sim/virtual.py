"""An event loop whose clock is a number: it jumps to the next timer when nothing else can run, so a run needs no waiting.

Invariants: no wall clock and no thread is used (work for an executor runs on the loop, at a scheduled moment); the order of
callbacks follows from the order of calls and from timers alone; a world in which nothing will ever happen again is an error.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from streams.errors import StoreError
from tests.sim.process import CURRENT, Process, ProcessDied

MAX_SECONDS = 20_000.0
MAX_ROUNDS = 600_000


class StalledError(AssertionError):
    """The world came to a stop, or runs without end."""


class _Clock(selectors.SelectSelector):
    """Files never become ready; waiting moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.rounds = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.rounds += 1
        if timeout is None:
            raise StalledError(f"nothing will ever happen after {self.now:.3f} s")
        self.now += max(0.0, timeout)
        if self.now > MAX_SECONDS or self.rounds > MAX_ROUNDS:
            seconds, rounds, self.now, self.rounds = self.now, self.rounds, 0.0, 0  # what is left needs some to unwind
            raise StalledError(f"no end in sight after {seconds:.0f} s and {rounds} rounds")
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Tasks started by a process belong to it, so that they die with it."""

    def __init__(self) -> None:
        self._clock = _Clock()
        super().__init__(self._clock)
        self.set_task_factory(self._task)

    def time(self) -> float:
        return self._clock.now

    @staticmethod
    def _task(loop: asyncio.AbstractEventLoop, coro: Any, context: Any = None) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=loop, context=context)
        process: Process | None = CURRENT.get() if context is None else context.get(CURRENT)
        if process is not None:
            process.tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Disk work: a point of I/O before and after it; a dead process does none. May fail, before or after the write."""
        return asyncio.ensure_future(self._work(func, *args))

    @staticmethod
    async def _work(func: Callable[..., Any], *args: Any) -> Any:
        process = CURRENT.get()
        if process is None:
            return func(*args)
        try:
            await process.io("disk")
        except ProcessDied:
            raise OSError("the process is dead") from None
        if process.world.disk_fails():
            raise StoreError("the disk is full")
        result = func(*args)
        try:
            await process.io("disk done")
        except ProcessDied:
            raise OSError("the process is dead") from None
        if process.world.disk_fails():
            raise StoreError("the disk did not say that it is written")
        return result


def run_virtual(main: Callable[[], Any]) -> Any:
    """Runs ``main`` on a loop of its own, from second 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
