"""The metrics registry of the process, and what every process measures.

Invariant: a metric is registered only where it is measured; nothing here is a constant posing as a measurement.
Packages define their own metrics in a ``metrics.py`` of their own, on ``REGISTRY`` or on prometheus_client's default one;
/metrics serves both. Names begin with ``monmouth_``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from prometheus_client import REGISTRY as DEFAULT_REGISTRY
from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.classification import Filing, classified, is_counted, mark_counted
from streams.errors import Category, Severity

REGISTRY = CollectorRegistry()
REGISTRY.register(DEFAULT_REGISTRY)
CPU_SECONDS = 0.5
_STARTED = time.monotonic()
_PROCESS = psutil.Process()
_PROCESS.cpu_percent()  # the first call starts the measuring interval

ERRORS = Counter(
    "monmouth_errors_total",
    "Errors that cost something, each counted once by the process that met it, by what failed and how bad it is.",
    ["category", "severity"],
    registry=REGISTRY,
)
for _category in Category:
    for _severity in Severity:
        ERRORS.labels(_category.value, _severity.value)  # a first 1 is no increase, and no series is not no error
UPTIME = Gauge("monmouth_uptime_seconds", "Seconds since this process loaded the metrics.", registry=REGISTRY)
MEMORY = Gauge("monmouth_memory_usage_mb", "Resident memory of this process, MiB.", registry=REGISTRY)
CPU = Gauge(
    "monmouth_cpu_usage_percent", "CPU time of this process since the last look at it, percent of one core.", registry=REGISTRY
)

MEMORY.set_function(lambda: _PROCESS.memory_info().rss / 2**20)


class _Cpu:
    """Several look, so a value stands for half a second: over less than that it says nothing."""

    def __init__(self) -> None:
        self._at, self._value = time.monotonic(), 0.0

    def __call__(self) -> float:
        if (now := time.monotonic()) - self._at >= CPU_SECONDS:
            self._at, self._value = now, _PROCESS.cpu_percent()
        return self._value


CPU.set_function(_Cpu())


def uptime() -> float:
    """Seconds since this process loaded the metrics."""
    return time.monotonic() - _STARTED


UPTIME.set_function(uptime)


def count_error(error: BaseException) -> None:
    """Counts an error where it was met, unless it was counted before, itself or as the one that it translates."""
    if not is_counted(error):
        mark_counted(error)
        count_filed(classified(error))


def count_filed(filing: Filing) -> None:
    """Counts an error that is not at hand itself, as the last one of another process."""
    ERRORS.labels(filing.category.value, filing.severity.value).inc()


@contextmanager
def counting_errors() -> Iterator[None]:
    """A block whose error is counted on its way."""
    try:
        yield
    except Exception as error:
        count_error(error)
        raise


def measure_disk(folder: Path) -> None:
    """Adds monmouth_disk_usage_percent of the file system that holds ``folder``; a second call changes nothing."""
    if "monmouth_disk_usage_percent" in REGISTRY._names_to_collectors:
        return
    gauge = Gauge("monmouth_disk_usage_percent", "Used share of the disk that holds the state folder.", registry=REGISTRY)
    gauge.set_function(_disk_usage(folder))


def used_percent(used: int, free: int) -> float:
    """As ``df`` counts it: of what this process could use, without what the system keeps back for itself."""
    return 100 * used / max(1, used + free)


def _disk_usage(folder: Path) -> Callable[[], float]:
    def usage() -> float:
        place = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
        disk = shutil.disk_usage(place)
        return used_percent(disk.used, disk.free)

    return usage
