"""The one process of a local server: a folder, the record of its pid, and a question whether it is ready.

Assumes: a folder that belongs to this user. Invariant: at most one process per folder, found again by any later one through its
pid file; a start that fails or is interrupted leaves no process behind; no kind of stop touches the data.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from infra.broker.errors import DiskFullError, NotWritableError
from infra.broker.exclusive import exclusive
from infra.broker.process import ProcessRecord
from streams.errors import MonmouthError

STOP_TIMEOUT = 30.0  # seconds
REAP_TIMEOUT = 10.0
POLL = 0.05


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a process that starts ``answers`` by now, and what to raise where it does not.

    ``death``: what its exit status means; ``late``: it lives and did not answer in time; ``slow``: a line to say, and after how
    many seconds, while it still may.
    """

    answers: Callable[[], bool]
    death: Callable[[int], MonmouthError]
    late: MonmouthError
    slow: tuple[float, str] | None = None


class LocalServer(ABC):
    """The server in ``folder``; ``say`` gets a line for each thing worth telling."""

    name: ClassVar[str]
    """Of its pid file."""
    title: ClassVar[str]
    """What it is called in a sentence."""
    kept: ClassVar[str] = "its data are kept"
    """What a kill does not take, as the end of a sentence."""

    def __init__(self, folder: Path, say: Callable[[str], None] | None) -> None:
        self.folder = folder
        self._say = say or (lambda _line: None)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the running server."""
        record = self._living()
        return record.pid if record else None

    @abstractmethod
    def start(self) -> bool:
        """Start and wait until it is ready; False if it ran already."""

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """SIGTERM, then SIGKILL after ``timeout`` seconds; False if none ran. The data stay."""
        if not self.folder.is_dir():
            return False
        with self._alone(timeout + STOP_TIMEOUT):
            record = self._living()
            self._end(record, timeout)
            return record is not None

    def kill(self) -> None:
        """SIGKILL, as a power cut would; it may be started again."""
        record = self._living()
        if record is not None:
            record.kill()
            self._reap()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def _living(self) -> ProcessRecord | None:
        record = ProcessRecord.read(self._pid_file)
        return record if record is not None and record.alive() else None

    def _alone(self, timeout: float) -> AbstractContextManager[None]:
        return exclusive(self.folder / ".lock", timeout, f"another start or stop of {self.title}")

    def _make_folder(self, *parts: str) -> None:
        """With folders ``parts`` in it, all for this user alone: what the server stores is in the clear there."""
        try:
            for part in ("", *parts):
                (self.folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise NotWritableError(
                f"cannot write {self.folder}: {error.strerror}",
                "Give this user write access, or choose another place with MONMOUTH_STATE_DIR.",
            ) from None

    def _demand_space(self, wanted: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < wanted:
            raise DiskFullError(
                f"{free >> 20} MiB free at {self.folder}; {self.title} wants {wanted >> 20} MiB",
                "Free some space, or choose another place with MONMOUTH_STATE_DIR.",
            )

    def _run(
        self,
        launch: Callable[[], subprocess.Popen[bytes]],
        port: int,
        readiness: Readiness,
        timeout: float,
        *,
        recording: bool = False,
    ) -> None:
        """``launch`` it, detached and in a process group of its own, and wait until it is ready to serve at ``port``."""
        try:
            self._child = launch()
            ProcessRecord.of(self._child.pid, port, recording=recording).write(self._pid_file)
            self._await(self._child, readiness, timeout)
        except BaseException:  # Ctrl-C too: nothing may be left running
            self._abandon()
            raise

    def _await(self, child: subprocess.Popen[bytes], readiness: Readiness, timeout: float) -> None:
        slow = readiness.slow
        started = time.monotonic()
        while (waited := time.monotonic() - started) < timeout:
            status = child.poll()
            if status is not None:
                raise readiness.death(status)
            if readiness.answers():
                return
            if slow is not None and waited > slow[0]:
                self._say(slow[1])
                slow = None
            time.sleep(POLL)
        raise readiness.late

    def _end(self, record: ProcessRecord | None, timeout: float, grace: float = 0.0) -> bool:
        """Whether it ended when it was asked, ``grace`` seconds beyond ``timeout`` included; the pid file goes with it."""
        clean = record is None or record.stop(timeout + grace)
        if not clean:
            self._say(f"{self.title} did not end within {timeout:.0f} s and was killed; {self.kept}")
        self._reap()
        self._pid_file.unlink(missing_ok=True)
        return clean

    def _abandon(self) -> None:
        if self._child is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._reap()
        self._pid_file.unlink(missing_ok=True)

    def _reap(self) -> None:
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(REAP_TIMEOUT)
            self._child = None
