"""The processes under supervision: the same commands a deployment runs, started and ended.

Assumes one supervisor of a state folder (``alone``). Invariants: a process ends when the supervisor does, also where that is
killed; each has a file for its last words, emptied before it starts; output goes to a log file of its own, the newest is kept.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from streams.errors import Category, ConfigurationError, MonmouthError, Severity
from streams.last_words import PARENT, VARIABLE, LastWords, heard
from streams.ops.recovery.ailments import Kind

GRACE_SECONDS = 20.0
MOST_LOG = 16 << 20
"""Bytes of a process's output that are kept, twice: the newest, and those before."""


class StartError(MonmouthError):
    """A process could not be started."""

    category = Category.PROCESSING
    severity = Severity.HIGH


@dataclass
class Program:
    """``port``: of its probes and metrics. ``opening``: seconds beyond the usual that it may take until it has started.
    ``process`` None: not started yet. ``told_to_end``: its end, if it comes, was asked for here.
    """

    name: str
    kind: Kind
    arguments: tuple[str, ...]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    opening: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    told_to_end: bool = False


class Programs:
    """``folder``: logs and last words."""

    def __init__(self, folder: Path, programs: list[Program]) -> None:
        self._folder = folder
        self.all = {program.name: program for program in programs}

    def start(self, name: str) -> None:
        """Starts one that is not running. To be called by the main thread: a child ends with the thread that started it.

        Raises StartError.
        """
        try:
            self._start(name)
        except OSError as error:
            hint = f"Logs and last words go to {self._folder}: it must be writable, and the machine have memory to spare."
            raise StartError(f"{name} cannot be started: {error.strerror or error}", hint) from error

    def _start(self, name: str) -> None:
        program = self.all[name]
        self._folder.mkdir(parents=True, exist_ok=True)
        words = self._folder / f"{name}.words"
        words.unlink(missing_ok=True)
        with (self._folder / f"{name}.log").open("ab") as log:
            program.process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "-v", *program.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **program.environment, VARIABLE: str(words.absolute()), PARENT: str(os.getpid())},
                start_new_session=True,
            )
        program.told_to_end = False

    def trim_logs(self) -> None:
        """Puts aside what has become long, in the place of what was put aside before. The process writes on undisturbed."""
        for name in self.all:
            path = self._folder / f"{name}.log"
            with suppress(OSError):  # a full disk: it is tried again
                if path.stat().st_size > MOST_LOG:
                    shutil.copyfile(path, path.with_suffix(".log.1"))
                    os.truncate(path, 0)

    def ended(self, name: str) -> int | None:
        """Its exit code; None while it runs, or if it was never started."""
        process = self.all[name].process
        return None if process is None else process.poll()

    def words(self, name: str) -> LastWords | None:
        """What it said at its end."""
        return heard(self._folder / f"{name}.words")

    async def end(self, name: str, grace: float = GRACE_SECONDS) -> None:
        """Asks it to end, and kills it after ``grace`` seconds; at once if that is 0. Returns when it is gone."""
        process = self.all[name].process
        if process is None or process.poll() is not None:
            return
        self.all[name].told_to_end = True
        if grace:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, grace)
        if process.poll() is None:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def end_all(self) -> None:
        """Ends all, together."""
        await asyncio.gather(*(self.end(name) for name in self.all))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """For the block, no other supervisor has this folder. Raises ConfigurationError if one has."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"{folder} has a supervisor already", "One for each state folder; give another its own: --state-dir."
            ) from None
        yield
