"""A process that serves all the product's own metrics and moves them as its input says: ``python -m tests.exporter``.

Each line of input is an expression with ``metric(NAME)``, which is the collector of that name, and ``touch()``, which moves
all of them; each is answered by a line. So a test causes what it looks for through the registry and the server that all
processes have.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY as DEFAULT_REGISTRY

from streams.metrics import REGISTRY, measure_disk
from streams.probe_server import serve_probes

ROOT = Path(__file__).resolve().parents[1]


class Exporter:
    """The running process, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._answer())

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def run(self, code: str) -> None:
        """Evaluates one line there."""
        assert self._process.stdin is not None
        self._process.stdin.write(code + "\n")
        self._process.stdin.flush()
        assert self._answer() == "done"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def exporting() -> Iterator[Exporter]:
    argv = [sys.executable, "-m", "tests.exporter"]
    process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Exporter(process)
    finally:
        process.terminate()
        process.communicate()


def import_metrics() -> None:
    """Imports every module that registers a metric."""
    for file in sorted([*ROOT.glob("streams/**/*.py"), *ROOT.glob("connectors/**/*.py")]):
        if re.search(r"^from prometheus_client import", file.read_text(), re.MULTILINE):
            import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    measure_disk(ROOT)


def touch(collectors: set[Any]) -> None:
    """Has each metric of ours measure something, under the labels ``x``."""
    for collector in collectors:
        if not getattr(collector, "_name", "").startswith("monmouth_"):
            continue
        child = collector.labels(*["x"] * len(collector._labelnames)) if collector._labelnames else collector
        if hasattr(child, "observe"):
            child.observe(1)
        else:
            child.inc()


def serve() -> None:
    import_metrics()
    collectors = {**DEFAULT_REGISTRY._names_to_collectors, **REGISTRY._names_to_collectors}
    at_hand = {"metric": collectors.__getitem__, "touch": lambda: touch(set(collectors.values()))}
    server = serve_probes("127.0.0.1", 0)
    print(server.port, flush=True)
    for line in sys.stdin:
        eval(line, at_hand)
        print("done", flush=True)
    server.stop()


if __name__ == "__main__":
    serve()
