"""Apicurio Registry, as Maven Central has it: fetched once into .monmouth/apicurio, run with its storage in memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from infra.broker.java import find_java
from infra.broker.ports import free_port
from tests.conftest import ROOT

VERSION = "3.3.3"
SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
HOME = ROOT / ".monmouth" / "apicurio" / VERSION
ABSENT = "no Apicurio: it is 158 MB and runs by command, also in CI; `python -m tests.registry_peer` fetches it"
START_SECONDS = 90
LOGGING = "-Djava.util.logging.manager=org.jboss.logmanager.LogManager"


def find() -> Path | None:
    """The folder that ``fetch`` left."""
    return HOME if (HOME / "quarkus-run.jar").is_file() else None


def fetch() -> Path:
    """From the Maven repositories that are configured; what came is compared with the known hash. Raises RuntimeError."""
    HOME.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME.parent) as scratch:
        context = MavenContext(repo_cache=Path(scratch) / "cache")
        context.remote_repos.update(GlobalSettings.load().repositories)
        component = context.project("io.apicurio", "apicurio-registry-app").at_version(VERSION)
        archive: Path = component.artifact(classifier="all", packaging="tar.gz").resolve()
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != SHA256:
            raise RuntimeError(f"apicurio-registry-app {VERSION} has SHA-256 {found}, not {SHA256}")
        with tarfile.open(archive) as packed:
            packed.extractall(Path(scratch) / "all", filter="data")
        shutil.move(Path(scratch) / "all", HOME)
    return HOME


@contextlib.contextmanager
def running(home: Path, folder: Path) -> Iterator[str]:
    """The address of its Confluent API, while it runs."""
    port, management = free_port(), free_port()
    environment = {
        **os.environ,
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_HTTP_PORT": str(port),
        "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
        "QUARKUS_MANAGEMENT_PORT": str(management),
    }
    options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", LOGGING]
    with (folder / "apicurio.log").open("wb") as log:
        line = [str(find_java().path), *options, "-jar", str(home / "quarkus-run.jar")]
        process = subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("Apicurio ended; see apicurio.log")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{url}/subjects", timeout=5).close()
            return
        time.sleep(0.3)
    raise RuntimeError(f"Apicurio does not answer within {START_SECONDS} s")
