"""Measuring: CPU seconds of a process from outside or inside, and rows printed one way.

A figure is rows per CPU second of the client process, since wall time on a shared machine says little; wall time is
printed beside it. Peers live in environments of their own, built from hashed lock files in ``perf/peers``.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".monmouth" / "peers"


@dataclass(slots=True)
class Figure:
    """What one run cost. ``cpu`` and ``wall`` in seconds."""

    name: str
    rows: int
    cpu: float = 0.0
    wall: float = 0.0

    @property
    def rate(self) -> float:
        """Rows per CPU second."""
        return self.rows / self.cpu if self.cpu else 0.0

    def as_json(self) -> str:
        return json.dumps({"name": self.name, "rows": self.rows, "cpu": self.cpu, "wall": self.wall})

    @classmethod
    def from_output(cls, output: str) -> Figure:
        """The figure a child printed as its last JSON line."""
        line = [line for line in output.splitlines() if line.startswith('{"name"')][-1]
        return cls(**json.loads(line))


@contextmanager
def timed(name: str, rows: int = 0) -> Iterator[Figure]:
    """Measures the block in this process; ``rows`` may be set inside."""
    figure = Figure(name, rows)
    cpu, wall = time.process_time(), time.perf_counter()
    yield figure
    figure.cpu, figure.wall = time.process_time() - cpu, time.perf_counter() - wall


def run_child(name: str, argv: Sequence[str], rows: int = 0, **environment: str) -> tuple[Figure, str]:
    """Runs a whole process and returns (its figure, what it printed). Fails loudly if it fails."""
    wall = time.perf_counter()
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment}, cwd=ROOT, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{name} failed with {process.returncode}:\n{output[-3000:]}")
    return Figure(name, rows, usage.ru_utime + usage.ru_stime, time.perf_counter() - wall), output


def peer(name: str) -> Path:
    """The bin folder of a peer's environment, built from ``perf/peers/NAME.txt`` if that changed."""
    lock = ROOT / "perf" / "peers" / f"{name}.txt"
    home = PEERS / name
    stamp = home / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"building the environment of peer {name} ...", flush=True)
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", str(lock)]
        subprocess.run(pip, check=True)
        stamp.write_text(digest)
    return home / "bin"


def show(title: str, figures: Sequence[Figure], unit: str) -> None:
    """Prints a table; the first figure is ours, ratios are ours against each other one."""
    print(f"\n{title}")
    print(f"  {'':34}{'rows':>12}{'cpu s':>10}{'wall s':>10}{unit + '/cpu s':>22}{'ours / it':>12}")
    for figure in figures:
        ratio = f"{figures[0].rate / figure.rate:.2f}" if figure.rate else "-"
        print(f"  {figure.name:34}{figure.rows:>12,}{figure.cpu:>10.2f}{figure.wall:>10.2f}{figure.rate:>22,.0f}{ratio:>12}")
    sys.stdout.flush()


def told(figure: Figure, goal: float, unit: str) -> str:
    """How a rate stands to what is aimed at."""
    verdict = "met" if figure.rate >= goal else "missed"
    return f"  aimed at {goal:,.0f} {unit} per CPU second: {figure.rate:,.0f}, {figure.rate / goal:.0%} of it: {verdict}"
