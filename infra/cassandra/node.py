"""One real Cassandra node on this machine, for as long as its state folder says.

Assumes: a folder that belongs to this user. Invariant: at most one node per folder, found again by any later process through
its pid file; it listens on one loopback address only; a start that fails or is interrupted leaves no process behind; what it
acknowledged outlives every kind of stop.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from infra.broker.diagnosis import cause_of_death, tail
from infra.broker.errors import BrokerError, BrokerTimeoutError
from infra.broker.jars import JarFolder, OnJar, parse_lock
from infra.broker.launch import environment
from infra.broker.local import jars_folder
from infra.broker.ports import demand_free, free_port, is_free
from infra.broker.probe import listens
from infra.broker.process import detached
from infra.broker.server import LocalServer, Readiness
from infra.cassandra.configuration import LOGBACK, Place, node_configuration, opened, options
from infra.cassandra.java import find_java

LOCK = Path(__file__).with_name("jars.lock")
ADDRESS = "127.0.0.1"
HEAP = "384m"
SPACE = 1024 * 1024 * 1024  # bytes free before a start: commit log, tables and their compaction
START_TIMEOUT = 180.0  # seconds; after a crash the node reads its commit log back
TOOL_TIMEOUT = 300.0
READY = "Starting listening for CQL clients"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """``running``: its process lives. ``answers``: and it takes connections."""

    running: bool
    answers: bool
    endpoint: str
    pid: int | None
    log: Path


class CassandraNode(LocalServer):
    """The node ``name`` of ``state_dir``. ``port`` and ``storage_port`` 0: those used last, or any free ones.

    ``jars``: a folder that servers and checkouts may share (default: MONMOUTH_JARS, else ``state_dir/jars``); a Java that had
    to be fetched is kept beside it. ``configuration`` adds to cassandra.yaml. ``seeds``: addresses of the ring's first nodes.
    ``managed``: ``tool`` can reach it, by a port for whoever is on this machine; without, there is none.
    """

    name = "cassandra"
    title = "Cassandra"
    kept = "what it acknowledged is kept"

    def __init__(
        self,
        state_dir: Path,
        *,
        name: str = "cassandra",
        address: str = ADDRESS,
        port: int = 0,
        storage_port: int = 0,
        seeds: Sequence[str] = (),
        jars: Path | None = None,
        heap: str = HEAP,
        configuration: Mapping[str, Any] | None = None,
        managed: bool = False,
        say: Callable[[str], None] | None = None,
        on_jar: OnJar | None = None,
    ) -> None:
        super().__init__(state_dir.resolve() / name, say)
        self.address = address
        self._jars = JarFolder((jars or jars_folder(state_dir)).resolve(), parse_lock(LOCK.read_text()), whose="Cassandra's")
        self._port = port
        self._storage_port = storage_port
        self._seeds = tuple(seeds) or (address,)
        self._heap = heap
        self._configuration = dict(configuration or {})
        self._on_jar = on_jar
        self._management_port = free_port() if managed else 0

    @property
    def port(self) -> int:
        """Where the running node takes connections. Raises BrokerError if it does not run."""
        record = self._living()
        if record is None:
            raise BrokerError(f"no Cassandra runs in {self.folder}", "Start it with 'monmouth infra cassandra up'.")
        return record.port

    @property
    def storage_port(self) -> int:
        """Where nodes speak to each other."""
        return self._last()[1]

    @property
    def log(self) -> Path:
        return self.folder / "cassandra.log"

    def start(self, timeout: float = START_TIMEOUT) -> bool:
        """Start and wait until it takes connections; False if it ran already. Blocks; raises BrokerError and its kinds."""
        self._make_folder("data", "commitlog", "saved_caches", "hints", "cdc_raw", "conf", "tmp")
        with self._alone(timeout):
            record = self._living()
            if record is not None:
                if self._port not in (0, record.port):
                    raise BrokerError(
                        f"this Cassandra already runs, on port {record.port}, not {self._port}",
                        "Stop it first with 'monmouth infra cassandra down', or leave the port out.",
                    )
                return False
            self._demand_space(SPACE)
            self._jars.ensure(self._on_jar)
            java = find_java(self._jars.path.parent)
            place = self._place()
            self._write_configuration(place)
            self._launch(str(java.path), place, timeout)
            return True

    def status(self) -> NodeStatus:
        """As it is now."""
        record = self._living()
        return NodeStatus(
            running=record is not None,
            answers=record is not None and listens(self.address, record.port),
            endpoint=f"{self.address}:{record.port}" if record else "",
            pid=record.pid if record else None,
            log=self.log,
        )

    def tool(self, *words: str, timeout: float = TOOL_TIMEOUT) -> str:
        """What nodetool says to ``words``. Raises BrokerError if it refuses."""
        java = find_java(self._jars.path.parent)
        line = [str(java.path), "-Xmx64m", *opened(), f"-Duser.home={self.folder / 'tmp'}", "-cp", self._jars.class_path]
        place = ["-h", "127.0.0.1", "-p", str(self._management_port)]
        done = subprocess.run(
            [*line, "org.apache.cassandra.tools.NodeTool", *place, *words],
            cwd=self._jars.path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise BrokerError(f"nodetool {' '.join(words)}: {(done.stderr or done.stdout).strip()[-300:]}", f"See {self.log}.")
        return done.stdout

    def _last(self) -> tuple[int, int]:
        """Ports of the last run: for clients, for other nodes; zeros before the first."""
        try:
            said = json.loads((self.folder / "conf" / "cassandra.yaml").read_text())
            return int(said["native_transport_port"]), int(said["storage_port"])
        except (OSError, ValueError, KeyError):
            return 0, 0

    def _place(self) -> Place:
        last = self._last()
        ports = []
        for wanted, used in zip((self._port, self._storage_port), last, strict=True):
            if wanted:
                demand_free(wanted, self.address, "Cassandra", 'cassandra.contact_points = ["{host}"]')
            ports.append(wanted or (used if used and is_free(used, self.address) else free_port()))
        return Place(self.address, ports[0], ports[1], self._seeds)

    def _write_configuration(self, place: Place) -> None:
        (self.folder / "conf" / "cassandra.yaml").write_text(node_configuration(self.folder, place, self._configuration))
        (self.folder / "conf" / "logback.xml").write_text(LOGBACK)

    def _launch(self, java: str, place: Place, timeout: float) -> None:
        joins = tuple(place.seeds) != (place.address,)
        managed = [f"-Dcassandra.jmx.local.port={self._management_port}"] if self._management_port else []
        line = [
            java,
            *options(self.folder, self._heap, joins),
            *managed,
            "-cp",
            f"{self.folder}/conf{os.pathsep}{self._jars.class_path}",
        ]
        launch = partial(self._popen, [*line, "org.apache.cassandra.service.CassandraDaemon"])
        self._run(launch, place.port, self._readiness(place, timeout), timeout)

    def _popen(self, line: Sequence[str]) -> subprocess.Popen[bytes]:
        return detached(line, self.log, cwd=self._jars.path, env=environment())

    def _readiness(self, place: Place, timeout: float) -> Readiness:
        return Readiness(
            answers=lambda: listens(self.address, place.port) and READY in self.log.read_text(errors="replace"),
            death=lambda status: cause_of_death(tail(self.log), self.folder, status, self.title),
            late=BrokerTimeoutError(f"Cassandra did not answer within {timeout:.0f} s", f"Its log: {self.log}"),
            slow=(20.0, "still starting: after a crash Cassandra reads its commit log back first"),
        )
