"""One real Milvus server on this machine, for as long as its state folder says.

Assumes: a folder that belongs to this user, on Linux. Invariant: at most one server per state folder, found again by any later
process through its pid file; only this machine reaches it, unless ``exposed`` was asked for; a start that fails or is
interrupted leaves no process behind; data outlive every kind of stop.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.broker.diagnosis import tail
from infra.broker.ports import free_port, free_ports, is_free
from infra.broker.probe import listens
from infra.broker.process import detached
from infra.broker.server import LocalServer, Readiness
from infra.milvus import configuration
from infra.milvus.configuration import HOST, PRIVATE, Ports, write_configuration
from infra.milvus.errors import MilvusError, NotPrivateError
from infra.milvus.keeper import BUSY, NOT_PRIVATE, Plan
from infra.milvus.package import ServerFolder

FOLDER_ENV = "MONMOUTH_MILVUS"
DEFAULT_PORT = 19_530
START_TIMEOUT = 120.0  # seconds
SHOWN = 5


@dataclass(frozen=True, slots=True)
class MilvusStatus:
    """``running``: its process lives. ``answers``: and its port is open, which it is when the server is healthy.

    ``private``: no other machine reaches it.
    """

    running: bool
    answers: bool
    private: bool
    url: str
    pid: int | None
    log: Path


class LocalMilvus(LocalServer):
    """The server of ``state_dir``. ``port`` 0: the one used last, or any free one.

    ``programs``: a folder that several servers may share (default: MONMOUTH_MILVUS, else ``state_dir/milvus-server``).
    ``exposed``: let it listen on all interfaces, without a password, where the system does not let it be shut off.
    ``extra`` adds to its configuration, by dotted name. ``say`` gets a line for each thing worth telling.
    """

    name = "milvus"
    title = "the Milvus server"

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int = 0,
        programs: Path | None = None,
        exposed: bool = False,
        extra: Mapping[str, Any] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        state_dir = state_dir.resolve()
        super().__init__(state_dir / "milvus", say)
        self._programs = ServerFolder((programs or server_folder(state_dir)).resolve())
        self._port = port
        self._exposed = exposed
        self._extra = dict(extra or {})

    @property
    def url(self) -> str:
        """For ``rag.vector_store_url``. Raises MilvusError if it does not run."""
        record = self._living()
        if record is None:
            raise MilvusError(f"no Milvus server runs in {self.folder}", "Start it with 'monmouth infra milvus up'.")
        return f"http://{HOST}:{record.port}"

    def start(self, timeout: float = START_TIMEOUT) -> bool:
        """Starts and waits until it is healthy; False if it ran already. Blocks; raises MilvusError and its kinds."""
        self._make_folder()
        with self._alone(timeout):
            if self._living() is not None:
                return False
            if not self._programs.complete():
                self._say("fetching the Milvus server (58 MB), once")
            self._programs.ensure()
            port = self._choose_port()
            try:
                self._launch(port, private=True, timeout=timeout)
            except NotPrivateError:
                if not self._exposed:
                    raise
                self._say(
                    "this system gives the server no network of its own: it listens on ALL interfaces, without a password"
                )
                self._launch(port, private=False, timeout=timeout)
            return True

    def status(self) -> MilvusStatus:
        """As it is now."""
        record = self._living()
        url = f"http://{HOST}:{record.port}" if record else ""
        answers = record is not None and listens(HOST, record.port)
        private = record is not None and Plan.read(self._plan).private
        return MilvusStatus(record is not None, answers, private, url, record.pid if record else None, self._log)

    @property
    def _plan(self) -> Path:
        return self.folder / "keeper.json"

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _choose_port(self) -> int:
        if self._port:
            if not is_free(self._port):
                raise _busy(self._port)
            return self._port
        try:
            last = Plan.read(self._plan).port
        except (OSError, ValueError, TypeError):  # it never ran, or its file is damaged
            return free_port()
        return last if is_free(last) else free_port()

    def _launch(self, port: int, *, private: bool, timeout: float) -> None:
        ports = PRIVATE if private else Ports.of(free_ports(configuration.COUNT))
        environment = write_configuration(self.folder, ports, self._extra)
        libraries = [str(self._programs.path), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        Plan(
            command=[str(self._programs.program), "run", "standalone"],
            folder=str(self.folder),
            environment=environment | {"LD_LIBRARY_PATH": ":".join(libraries)},
            port=port,
            inner=ports.proxy,
            health=ports.health,
            private=private,
        ).write(self._plan)
        readiness = Readiness(
            answers=lambda: listens(HOST, port),
            death=lambda status: self._death(port, status),
            late=MilvusError(f"the Milvus server was not healthy within {timeout:.0f} s", f"Its log: {self._log}"),
        )
        self._run(self._popen, port, readiness, timeout)

    def _popen(self) -> subprocess.Popen[bytes]:
        return detached([sys.executable, "-P", "-m", "infra.milvus.keeper", str(self._plan)], self._log)

    def _death(self, port: int, status: int) -> MilvusError:
        if status == NOT_PRIVATE:
            return NotPrivateError(
                "this system lets no user make a network namespace, and without one the server listens on all interfaces",
                "Use the container of docker-compose.yml, a server of your own, or accept it with --exposed.",
            )
        if status == BUSY:
            return _busy(port)
        lines = [line for line in tail(self._log).splitlines() if line.strip()][-SHOWN:]
        return MilvusError("the Milvus server ended while it started:\n" + "\n".join(lines), f"Its log: {self._log}")


def server_folder(state_dir: Path) -> Path:
    """Where the server's programs lie unless told otherwise: MONMOUTH_MILVUS, else ``state_dir/milvus-server``."""
    return Path(os.environ.get(FOLDER_ENV) or state_dir / "milvus-server")


def _busy(port: int) -> MilvusError:
    return MilvusError(f"port {port} on {HOST} is taken", "Stop that program, or use another port (--port 0 takes any).")
