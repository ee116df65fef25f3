"""A process that outlives its starter, found again by pid file.

Invariant: a pid is believed only with the start mark taken when it was written, so a number the system gave to another
program since is never taken for ours, nor signalled.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

KILL_WAIT = 10.0  # seconds the system gets to remove a killed process
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def detached(
    line: Sequence[str], output: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a process that this terminal cannot end, with all that it says in ``output``, made anew."""
    with output.open("wb") as file:
        return subprocess.Popen(
            line,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def start_mark(pid: int) -> str:
    """A text that differs for any two processes that ever had ``pid``. Raises psutil.NoSuchProcess.

    On Linux boot id and start tick, which no change of the clock moves; elsewhere the start time.
    """
    if BOOT_ID.exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            raise psutil.NoSuchProcess(pid) from None
        # Field 22 of proc(5), counted after the command name, which may itself hold blanks and brackets.
        return f"{BOOT_ID.read_text().strip()}:{stat.rpartition(')')[2].split()[19]}"
    return str(psutil.Process(pid).create_time())


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """What the pid file holds. ``port``: where it serves; ``recording``: it writes a start-up cache when it ends."""

    pid: int
    mark: str
    port: int
    recording: bool = False

    @classmethod
    def of(cls, pid: int, port: int, *, recording: bool = False) -> ProcessRecord:
        """The record of a process that runs now. Raises psutil.NoSuchProcess."""
        return cls(pid, start_mark(pid), port, recording)

    def write(self, path: Path) -> None:
        """Atomically, so that a reader never sees half a record."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """None where there is no file or its text is no record."""
        try:
            fields = json.loads(path.read_text())
            return cls(int(fields["pid"]), str(fields["mark"]), int(fields["port"]), fields.get("recording") is True)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def alive(self) -> bool:
        """True while this very process runs."""
        try:
            return start_mark(self.pid) == self.mark and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def stop(self, timeout: float) -> bool:
        """SIGTERM, then SIGKILL to its whole process group after ``timeout`` seconds. True if SIGTERM was enough."""
        if not self.alive():
            return True
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            process.terminate()
            with suppress(psutil.TimeoutExpired):
                process.wait(timeout)
                return True
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """SIGKILL to the process group, where the process leads one, and wait until it is gone."""
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            process = psutil.Process(self.pid)
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
            else:
                process.kill()
            with suppress(psutil.TimeoutExpired):
                process.wait(KILL_WAIT)
