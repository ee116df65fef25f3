"""A simulated operating system process: its tasks, its points of I/O, crash and pause.

Every call to the outside passes ``io`` before it takes effect and after, so a crash at either side of each is possible.
Invariant: nothing that a dead process still does while it unwinds takes effect outside: all its calls are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from random import Random
from typing import Any, Protocol

CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


class ProcessDied(BaseException):
    """Raised in code of a process that is no more."""


class Environment(Protocol):
    """What a process asks of its world at each point of I/O."""

    random: Random

    def crashes(self, process: Process, point: str) -> bool: ...

    def latency(self) -> float: ...

    def disk_fails(self) -> bool: ...

    def note(self, who: str, what: str) -> None: ...


class Process:
    """``on_death``: called once when it dies. ``paused_since``, ``cut_since``: virtual time, or None.

    A process that is cut off reaches no broker, and no broker reaches it.
    """

    def __init__(self, name: str, world: Environment) -> None:
        self.name = name
        self.kind = name.rstrip("0123456789")
        self.world = world
        self.tasks: list[asyncio.Task[Any]] = []
        self.dead = False
        self.paused_since: float | None = None
        self.cut_since: float | None = None
        self.on_death: list[Callable[[], None]] = []
        self._resumed = asyncio.Event()
        self._joined = asyncio.Event()

    def spawn(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process."""
        context = copy_context()
        context.run(CURRENT.set, self)
        return asyncio.get_running_loop().create_task(coro, context=context)

    async def io(self, point: str) -> None:
        """A point of I/O. Raises ProcessDied."""
        self.check()
        if self.world.crashes(self, point):
            self.world.note(self.name, f"crash at {point}")
            self.kill()
            raise ProcessDied(self.name)
        await asyncio.sleep(self.world.latency())
        while self.paused_since is not None and not self.dead:
            await self._resumed.wait()
        self.check()
        self.world.note(self.name, point)

    def check(self) -> None:
        if self.dead:
            raise ProcessDied(self.name)

    def kill(self) -> None:
        """kill -9: what was done is done, and nothing more."""
        if self.dead:
            return
        self.dead = True
        self._resumed.set()
        self._joined.set()
        try:
            current = asyncio.current_task()
        except RuntimeError:
            current = None
        for task in self.tasks:
            if task is not current:
                task.cancel()
        for call in self.on_death:
            call()

    def pause(self) -> None:
        """SIGSTOP, seen at the next point of I/O."""
        if self.paused_since is None and not self.dead:
            self.paused_since = asyncio.get_running_loop().time()
            self._resumed.clear()

    def resume(self) -> None:
        """SIGCONT."""
        self.paused_since = None
        self._resumed.set()

    def cut(self) -> None:
        """Cuts it off."""
        if self.cut_since is None and not self.dead:
            self.cut_since = asyncio.get_running_loop().time()
            self._joined.clear()

    def join(self) -> None:
        """Ends that."""
        self.cut_since = None
        self._joined.set()

    async def reached(self) -> None:
        """Returns when the broker reaches it."""
        while self.cut_since is not None and not self.dead:
            await self._joined.wait()
        self.check()

    async def gone(self) -> None:
        """Returns when a dead process has unwound."""
        for _ in range(1_000):
            left = [task for task in self.tasks if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)
        else:
            raise AssertionError(f"{self.name} does not unwind: {left}")
        for task in self.tasks:
            if not task.cancelled():
                task.exception()  # seen


def outside(coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task of no process: the broker's, the node's, the fault injector's."""
    context = copy_context()
    context.run(CURRENT.set, None)
    return asyncio.get_running_loop().create_task(coro, context=context)


def current() -> Process:
    process = CURRENT.get()
    assert process is not None, "no process here"
    return process
