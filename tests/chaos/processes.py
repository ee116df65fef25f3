"""The product's commands as processes that may be killed, paused and started again; what ends by itself is started again.

Invariant: every process that was started is gone when ``stop`` returns.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.checker.events import Event, Kill, Start
from tests.conftest import ROOT

STOP_SECONDS = 15.0
TRACE = "Traceback (most recent call last)"
LINE = re.compile(r"^(\d{4}-\d\d-\d\d |error: )", re.MULTILINE)
"""Beginning of a line of the log, or of the error that a command ends with."""


@dataclass
class Child:
    """One process. ``down``: it is meant to be down now. ``tree``: the checkout it runs from. ``began``: size of its log when
    it was started last.
    """

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    tree: Path
    incarnation: int = 0
    down: bool = False
    began: int = 0


@dataclass
class Processes:
    """``say`` records events. ``deaths``: (name, exit code) of those that ended with nobody having told them to; ``crashes``:
    what those said last that ended by a signal or with a trace, which no fault excuses.
    """

    logs: Path
    environment: dict[str, str]
    say: Callable[[Event], None]
    deaths: list[tuple[str, int]] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None, tree: Path = ROOT) -> None:
        """Runs ``monmouth ARGUMENTS`` under ``name``. ``environment``: its own beside that of all."""
        own = dict(environment or {})
        self.children[name] = Child(name, arguments, self._spawn(name, arguments, own, tree), own, tree)

    def _spawn(self, name: str, arguments: tuple[str, ...], environment: dict[str, str], tree: Path) -> subprocess.Popen[bytes]:
        self.logs.mkdir(parents=True, exist_ok=True)
        self.say(Start(process=name))
        with (self.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "-v", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment, **environment},
                cwd=tree,
                start_new_session=True,
            )

    def named(self, prefix: str) -> list[str]:
        """Names of the processes that should run now, in order."""
        return sorted(name for name, child in self.children.items() if name.startswith(prefix) and not child.down)

    def kill(self, name: str, fault: str = "kill -9") -> None:
        """SIGKILL; it stays down until ``restart``."""
        child = self.children[name]
        child.down = True
        self.say(Kill(process=name, fault=fault))
        child.process.kill()
        child.process.wait()

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        self.say(Kill(process=name, fault="SIGSTOP"))
        self.children[name].process.send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self.children[name].process.send_signal(signal.SIGCONT)
        self.say(Start(process=name))

    def restart(self, name: str) -> None:
        """Starts one again that is down."""
        child = self.children[name]
        child.began = (self.logs / f"{name}.log").stat().st_size
        child.process = self._spawn(name, child.arguments, child.environment, child.tree)
        child.incarnation += 1
        child.down = False

    def mend(self) -> None:
        """Starts again what ended by itself, as a supervisor does."""
        for name, child in list(self.children.items()):
            code = child.process.poll()
            if code is not None and not child.down:
                self.deaths.append((name, code))
                if found := crash_of(name, code, self._said(child)):
                    self.crashes.append(found)
                self.restart(name)

    def _said(self, child: Child) -> str:
        """What it wrote since it was started."""
        return (self.logs / f"{child.name}.log").read_bytes()[child.began :].decode(errors="replace")

    def halt(self, name: str) -> None:
        """SIGTERM; it stays down until ``restart``."""
        child = self.children[name]
        child.down = True
        _end(child.process)

    def ended(self, name: str, seconds: float) -> int | None:
        """Exit code of a process that ends by itself in this time, and stays down; None if it does not end."""
        child = self.children[name]
        try:
            code = child.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        child.down = True
        return code

    def leave(self, name: str) -> None:
        """SIGTERM; waits, and forgets it."""
        child = self.children.pop(name)
        _end(child.process)

    def stop(self) -> None:
        """Ends all at once."""
        children, self.children = list(self.children.values()), {}
        with ThreadPoolExecutor(max(1, len(children))) as threads:
            list(threads.map(lambda child: _end(child.process), children))


def crash_of(name: str, code: int, said: str) -> str | None:
    """What a process that ended by itself met, if it is a defect: none of the errors that the product ends with on purpose."""
    if code < 0:
        return f"{name} was ended by signal {-code}"
    _, trace, behind = said.rstrip().rpartition(TRACE)
    # The last thing said: a trace of what was met and mended on the way is followed by lines of the log.
    if trace and not LINE.search(behind):
        return f"{name} ended with exit code {code} and a trace: {behind.splitlines()[-1][:300]}"
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
