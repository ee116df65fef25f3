"""Child processes of the demo: the same commands a deployment runs, with their output in log files.

Invariant: every child that was started is gone when ``stop`` returns, in the reverse order of starting; a child that ends
by itself is an error that shows the end of its log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from streams.errors import Category, MonmouthError, Severity

LOG_TAIL = 15
STOP_SECONDS = 15


class ChildError(MonmouthError):
    """A process of the demo ended before its time."""

    category = Category.PROCESSING
    severity = Severity.HIGH


@dataclass(slots=True)
class Children:
    """Starts and stops ``monmouth`` commands. ``environment`` is added to this process's own."""

    logs: Path
    environment: dict[str, str]
    _running: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def start(self, name: str, *arguments: str) -> None:
        """Runs ``monmouth ARGUMENTS`` in a session of its own, so that Ctrl-C reaches the parent alone."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "-v", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self._running.append((name, process))

    def check(self) -> None:
        """Raises ChildError if a child has ended."""
        for name, process in self._running:
            if (code := process.poll()) is not None:
                raise ChildError(
                    f"{name} ended with exit code {code}:\n{self.tail(name)}", f"Whole log: {self.logs / name}.log"
                )

    def tail(self, name: str) -> str:
        """The last lines of a child's log."""
        lines = (self.logs / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(f"  | {line}" for line in lines[-LOG_TAIL:])

    def end(self, name: str) -> None:
        """Ends one child, if it runs; ``check`` does not miss it."""
        for child in [child for child in self._running if child[0] == name]:
            _end(*child)
            self._running.remove(child)

    def kill(self, name: str) -> None:
        """Ends one child as kill -9 does, in whatever it is doing; ``check`` does not miss it."""
        for child in [child for child in self._running if child[0] == name]:
            child[1].kill()
            child[1].wait()
            self._running.remove(child)

    def runs(self, name: str) -> bool:
        """Whether it was started and not ended since."""
        return any(running == name for running, _ in self._running)

    def stop(self) -> None:
        """Ends all children, last started first."""
        for name, process in reversed(self._running):
            _end(name, process)
        self._running.clear()


def _end(name: str, process: subprocess.Popen[bytes]) -> None:
    """Asks a child to end; one that does not listen within STOP_SECONDS is killed."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        sys.stderr.write(f"{name} did not stop within {STOP_SECONDS} s and was killed\n")
