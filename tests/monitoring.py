"""Real Prometheus and Alertmanager on free ports of this machine, for as long as a test needs them.

Both come from the system's packages (infra/lock/debian.txt); a test skips where they are not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.broker.ports import free_port

LOOKS = "200ms"
PATIENCE = 60.0


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: see infra/lock/debian.txt")
    return found


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


class Prometheus:
    """Asked over its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **fields: str) -> Any:
        query = urllib.parse.urlencode(fields)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def firing(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}


@contextmanager
def prometheus(
    folder: Path, targets: Sequence[str], rules: Mapping[str, Any] | None = None, alertmanager: str = ""
) -> Iterator[Prometheus]:
    port = free_port()
    written: dict[str, Any] = {
        "global": {"scrape_interval": LOOKS, "scrape_timeout": LOOKS, "evaluation_interval": LOOKS},
        "scrape_configs": [{"job_name": "monmouth", "static_configs": [{"targets": list(targets)}]}],
    }
    if rules is not None:
        (folder / "rules.json").write_text(json.dumps(rules))
        written["rule_files"] = [str(folder / "rules.json")]
    if alertmanager:
        written["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    (folder / "prometheus.json").write_text(json.dumps(written))
    argv = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with _serving(argv, f"http://127.0.0.1:{port}", folder / "prometheus.log"):
        yield Prometheus(f"http://127.0.0.1:{port}")


@contextmanager
def alertmanager(folder: Path, configuration: Mapping[str, Any]) -> Iterator[str]:
    """Its host and port."""
    port = free_port()
    (folder / "alertmanager.json").write_text(json.dumps(configuration))
    argv = [
        program("prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.json'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _serving(argv, f"http://127.0.0.1:{port}", folder / "alertmanager.log"):
        yield f"127.0.0.1:{port}"


@contextmanager
def _serving(argv: Sequence[str], url: str, log: Path) -> Iterator[None]:
    with log.open("wb") as written, subprocess.Popen(argv, stdout=written, stderr=written) as process:
        try:
            until(lambda: process.poll() is not None or _ready(url), f"{argv[0]} is not ready")
            assert process.poll() is None, log.read_text()[-2000:]
            yield
        finally:
            process.terminate()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def scraped(target: str) -> list[tuple[str, dict[str, str], float]]:
    """(name, labels, value) of each sample that a process serves."""
    with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]
