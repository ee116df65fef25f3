"""One real Kafka broker on this machine, for as long as its state folder says.

Assumes: a folder that belongs to this user. Invariant: at most one broker per state folder, found again by any later process
through its pid file; it listens on loopback only; a start that fails or is interrupted leaves no process behind; data outlive
every kind of stop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra.broker.diagnosis import cause_of_death, tail
from infra.broker.errors import BrokerError, BrokerTimeoutError, NotWritableError, PortBusyError
from infra.broker.jars import JarFolder, OnJar
from infra.broker.java import find_java
from infra.broker.launch import OPTIONS, BrokerFolder, Launcher
from infra.broker.ports import demand_free, free_port, is_free
from infra.broker.probe import ask, listens
from infra.broker.process import ProcessRecord
from infra.broker.properties import HOST, Member, member_properties, server_properties
from infra.broker.server import STOP_TIMEOUT, LocalServer, Readiness
from infra.broker.startup_cache import StartupCache

JARS_ENV = "MONMOUTH_JARS"
SPACE = 512 * 1024 * 1024  # bytes free before a start
START_TIMEOUT = 180.0  # seconds; after a crash the broker reads its whole unflushed log back
RECORDING_TIMEOUT = 90.0  # more, for a run that writes the start-up cache when it ends
PORT_ATTEMPTS = 5
SLOW = "still starting"
AFTER_A_CRASH = "still starting: it was not stopped cleanly, so it reads its log back first"


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """``running``: its process lives. ``answers``: and it serves. ``data_bytes``: size of the log on disk."""

    running: bool
    answers: bool
    bootstrap: str
    pid: int | None
    cluster_id: str | None
    data_bytes: int
    log: Path


class LocalBroker(LocalServer):
    """The broker of ``state_dir``. ``port`` 0: the one used last, or any free one.

    ``jars`` is a folder that several brokers may share (default: MONMOUTH_JARS, else ``state_dir/jars``). ``properties`` adds
    to the broker's configuration, ``listeners`` (ports on loopback by name) to the one listener of a broker alone, and
    ``format_options`` to what its storage is formatted with, once. ``record_startup``: let the first run write the start-up
    cache, which lengthens its stop by some seconds. ``member``: its place in a cluster, which fixes its ports; it then answers
    only while a majority of its cluster lives. ``say`` gets a line for each thing worth telling, ``on_jar`` the progress of
    downloads.
    """

    name = "broker"
    title = "the broker"

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int = 0,
        jars: Path | None = None,
        heap: str = "512m",
        properties: Mapping[str, str] | None = None,
        listeners: Mapping[str, int] | None = None,
        format_options: Sequence[str] = (),
        record_startup: bool = True,
        member: Member | None = None,
        say: Callable[[str], None] | None = None,
        on_jar: OnJar | None = None,
    ) -> None:
        state_dir = state_dir.resolve()
        super().__init__(state_dir / "broker", say)
        self._folder = BrokerFolder(self.folder)
        self._jars = JarFolder((jars or jars_folder(state_dir)).resolve())
        self._port = member.port if member else port
        self._member = member
        self._heap = heap
        self._properties = dict(properties or {})
        self._listeners = dict(listeners or {})
        self._format_options = tuple(format_options)
        self._record_startup = record_startup
        self._on_jar = on_jar

    @property
    def bootstrap(self) -> str:
        """``host:port`` of the running broker. Raises BrokerError if it does not run."""
        record = self._living()
        if record is None:
            raise self.death() or BrokerError(f"no broker runs in {self.folder}", "Start it with 'monmouth infra up'.")
        return f"{HOST}:{record.port}"

    def start(self, timeout: float = START_TIMEOUT) -> bool:
        """Start and wait until it answers; False if it ran already. Blocks; raises BrokerError and its kinds."""
        self._make_folder()
        with self._alone(timeout):
            record = self._living()
            if record is not None:
                self._demand_same_port(record)
                return False
            self._demand_space(SPACE)
            self._jars.ensure(self._on_jar)
            launcher = self._launcher()
            slow = AFTER_A_CRASH if self._folder.crashed else SLOW  # before its storage is formatted, which writes the log too
            for attempt in range(1, PORT_ATTEMPTS + 1):
                try:
                    self._launch(launcher, timeout, slow)
                    return True
                except PortBusyError:
                    # Between our look and the broker's bind another program may take a port that we chose.
                    if self._port or attempt == PORT_ATTEMPTS:
                        raise
        return True

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """SIGTERM, then SIGKILL after ``timeout`` seconds; False if none ran. The data stay."""
        if not self.folder.is_dir():
            return False
        with self._alone(RECORDING_TIMEOUT + timeout):
            record = self._living()
            recording = record is not None and record.recording
            if recording:
                self._say("saving the start-up cache, once; later starts take about a second")
            clean = self._end(record, timeout, RECORDING_TIMEOUT if recording else 0.0)
            if clean and recording:
                self._startup_cache(self._launcher()).adopt(self._folder.recorded_cache)
            return record is not None

    def status(self) -> BrokerStatus:
        """As it is now; does not wait for anything but one question to the broker."""
        record = self._living()
        bootstrap = f"{HOST}:{record.port}" if record else ""
        cluster_id = self._folder.cluster_id()
        cluster = ask(f"{HOST}:{self._member.internal_port}" if self._member else bootstrap) if record else None
        return BrokerStatus(
            running=record is not None,
            answers=cluster is not None and cluster.cluster_id == cluster_id,
            bootstrap=bootstrap,
            pid=record.pid if record else None,
            cluster_id=cluster_id,
            data_bytes=_size(self._folder.data),
            log=self._folder.log,
        )

    def death(self) -> BrokerError | None:
        """Why the broker ended, where it ended without being stopped; None otherwise."""
        if self._living() is not None or not self._pid_file.exists():
            return None
        return cause_of_death(tail(self._folder.log) + tail(self._folder.output), self.folder, None)

    def _make_folder(self, *parts: str) -> None:
        if "," in str(self.folder):
            raise NotWritableError(
                f"{self.folder} holds a comma, which Kafka reads as two folders", "Choose another state folder."
            )
        super()._make_folder("data", *parts)

    def _demand_same_port(self, record: ProcessRecord) -> None:
        if self._port not in (0, record.port):
            raise BrokerError(
                f"this broker already runs, on port {record.port}, not {self._port}",
                "Stop it first with 'monmouth infra down', or leave the port out.",
            )

    def _launcher(self) -> Launcher:
        return Launcher(self._folder, find_java(), self._jars, self._heap)

    def _startup_cache(self, launcher: Launcher) -> StartupCache:
        return StartupCache(self._jars, launcher.java, OPTIONS)

    def _launch(self, launcher: Launcher, timeout: float, slow: str) -> None:
        port = self._choose_port()
        self._folder.write_configuration(self._configuration(port))
        cluster_id = launcher.format(self._member.cluster_id if self._member else None, self._format_options)
        options, recording = self._cache_options(launcher)
        # A proxy may stand before the port that clients are told, so a member is asked on its internal one.
        readiness = self._readiness(self._member.internal_port if self._member else port, cluster_id, timeout, slow)
        self._run(partial(launcher.run, options), port, readiness, timeout, recording=recording)

    def _readiness(self, port: int, cluster_id: str, timeout: float, slow: str) -> Readiness:
        log_end = self._folder.log.stat().st_size if self._folder.log.exists() else 0

        def answers() -> bool:
            cluster = ask(f"{HOST}:{port}") if listens(HOST, port) else None
            return cluster is not None and cluster.cluster_id == cluster_id

        def death(status: int) -> BrokerError:
            text = tail(self._folder.log, since=log_end) + tail(self._folder.output)
            return cause_of_death(text, self.folder, status)

        return Readiness(
            answers,
            death,
            BrokerTimeoutError(f"the broker did not answer within {timeout:.0f} s", f"Its log: {self._folder.log}"),
            slow=(10.0, slow),
        )

    def _configuration(self, port: int) -> str:
        if self._member is None:
            return server_properties(self._folder.data, port, free_port(), self._properties, self._listeners)
        for taken in (self._member.internal_port, self._member.controller_port):
            demand_free(taken)
        return member_properties(self._folder.data, self._member, self._properties)

    def _choose_port(self) -> int:
        if self._port:
            demand_free(self._port)
            return self._port
        last = self._folder.last_port()
        return last if last is not None and is_free(last) else free_port()

    def _cache_options(self, launcher: Launcher) -> tuple[list[str], bool]:
        self._folder.recorded_cache.unlink(missing_ok=True)
        if not launcher.java.has_startup_cache:
            return [], False
        cache = self._startup_cache(launcher).find()
        if cache is not None:
            return [f"-XX:AOTCache={cache}"], False
        if not self._record_startup:
            return [], False
        return [f"-XX:AOTCacheOutput={self._folder.recorded_cache}"], True


def jars_folder(state_dir: Path) -> Path:
    """Where the jars lie unless told otherwise: MONMOUTH_JARS, else ``state_dir/jars``."""
    return Path(os.environ.get(JARS_ENV) or state_dir / "jars")


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_blocks * 512
    return total
