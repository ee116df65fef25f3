"""The command lines of the broker: format its storage once, then run it in a process group of its own.

Invariant: what the caller's environment says to Java programs in general does not reach the broker.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.broker.diagnosis import cause_of_death, tail
from infra.broker.errors import BrokerDiedError
from infra.broker.jars import JarFolder
from infra.broker.java import Java
from infra.broker.process import detached
from infra.broker.properties import LOGGING

FORMAT_TIMEOUT = 120  # seconds
OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
NOT_INHERITED = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}


@dataclass(frozen=True, slots=True)
class BrokerFolder:
    """Where everything of one broker lies."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def properties(self) -> Path:
        return self.path / "server.properties"

    @property
    def logging(self) -> Path:
        return self.path / "log4j2.properties"

    @property
    def crashed(self) -> bool:
        """Whether the last run was not stopped cleanly: a broker notes that it was, and takes the note away when it starts."""
        return self.log.exists() and not (self.data / ".kafka_cleanshutdown").exists()

    @property
    def log(self) -> Path:
        return self.path / "broker.log"

    @property
    def output(self) -> Path:
        return self.path / "output.log"

    @property
    def recorded_cache(self) -> Path:
        return self.path / "startup.aot"

    def cluster_id(self) -> str | None:
        """The id the storage was formatted with; None before that."""
        try:
            match = re.search(r"^cluster\.id=(.+)$", (self.data / "meta.properties").read_text(), re.MULTILINE)
        except OSError:
            return None
        return match[1].strip() if match else None

    def last_port(self) -> int | None:
        """The port of the last run; None before the first."""
        match = re.search(r"^advertised\.listeners=PLAINTEXT://[^:]+:(\d+)$", tail(self.properties), re.MULTILINE)
        return int(match[1]) if match else None

    def write_configuration(self, text: str) -> None:
        """``text``: of server.properties."""
        self.properties.write_text(text)
        self.logging.write_text(LOGGING)


@dataclass(frozen=True, slots=True)
class Launcher:
    """Runs the programs of ``jars`` with ``java`` on the configuration in ``folder``."""

    folder: BrokerFolder
    java: Java
    jars: JarFolder
    heap: str = "512m"

    def format(self, cluster_id: str | None = None, options: Sequence[str] = ()) -> str:
        """Format the storage unless it is, as ``cluster_id`` or a new one; the id it has. Raises BrokerError if it cannot.

        ``options``: more arguments of Kafka's storage tool. Other users of this machine can see them while it runs.
        """
        known = self.folder.cluster_id()
        if known is not None:
            return known
        tool = [
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster_id or new_cluster_id(),
            "-c",
            str(self.folder.properties),
            "--ignore-formatted",
            *options,
        ]
        try:
            done = subprocess.run(
                self._command(["-Xmx128m"], tool),
                cwd=self.jars.path,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=FORMAT_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BrokerDiedError(f"formatting the storage took longer than {FORMAT_TIMEOUT} s", "Is the disk slow?") from None
        formatted = self.folder.cluster_id()
        if done.returncode == 0 and formatted is None:
            raise BrokerDiedError(
                f"{self.folder.data}/meta.properties is damaged: it names no cluster",
                "Restore it from a copy, or move the folder away to start with an empty one.",
            )
        if formatted is None:
            raise cause_of_death(done.stdout, self.folder.path, done.returncode)
        return formatted

    def run(self, cache_options: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start the broker, detached from this terminal, its output in ``folder.output``."""
        jvm = ["-Xms64m", f"-Xmx{self.heap}", f"-XX:ErrorFile={self.folder.path}/java-error-%p.log", *cache_options]
        line = self._command(jvm, ["kafka.Kafka", str(self.folder.properties)])
        return detached(line, self.folder.output, cwd=self.jars.path, env=environment())

    def _command(self, jvm: Sequence[str], program: Sequence[str]) -> list[str]:
        logging = [f"-Dlog4j.configurationFile={self.folder.logging.as_uri()}", f"-Dmonmouth.log={self.folder.log}"]
        return [str(self.java.path), *OPTIONS, *jvm, *logging, "-cp", self.jars.class_path, *program]


def new_cluster_id() -> str:
    """A random Kafka uuid: 22 characters of URL-safe base64. Never begins with '-', which would read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def environment() -> dict[str, str]:
    """The caller's, less what steers Java, with a locale in which any path can be written."""
    return {name: value for name, value in os.environ.items() if name not in NOT_INHERITED} | {"LC_ALL": "C.UTF-8"}
