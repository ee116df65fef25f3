"""The numbers of the dashboard for other systems of measurement: Prometheus text, and InfluxDB line protocol. Pure.

Invariants: a number that is not known is left out, never 0; what came from outside is a label or tag, escaped as its format
says, never a name. Formats: the Prometheus text format 0.0.4, InfluxDB's line protocol with times in nanoseconds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Cell = str | int | float | bool | None
PREFIX = "monmouth_dashboard"
NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Value:
    """A number of something. ``section``, ``field``: ours; ``item``: what it is of, anybody's; ``at_ms``: when it was so."""

    section: str
    item: str
    field: str
    value: float
    at_ms: int

    @property
    def name(self) -> str:
        """As metrics are named."""
        return re.sub(r"[^a-z0-9]+", "_", f"{self.section}_{self.field}".lower()).strip("_")


class _Values(Collector):
    """What a registry collects."""

    def __init__(self, values: Iterable[Value]) -> None:
        self._newest: dict[str, dict[str, Value]] = defaultdict(dict)
        for value in values:
            before = self._newest[value.name].get(value.item)
            if before is None or before.at_ms <= value.at_ms:
                self._newest[value.name][value.item] = value

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, found in self._newest.items():
            family = GaugeMetricFamily(f"{PREFIX}_{name}", "As the dashboard shows it.", labels=["item"])
            for item, value in found.items():
                family.add_metric([item], value.value)
            yield family


def prometheus_text(values: Iterable[Value]) -> bytes:
    """The newest of each."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Values(values))
    return bytes(generate_latest(registry))


def influx_lines(values: Iterable[Value]) -> bytes:
    """All, each with its time."""
    return "".join(
        f"{PREFIX}_{value.name}{_tag(value.item)} value={value.value!r} {value.at_ms * NS}\n" for value in values
    ).encode()


def _tag(item: str) -> str:
    """A tag's value may hold no end of line and cannot be empty."""
    said = re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", item).rstrip("\\").strip()
    return ",item=" + re.sub(r"([,= ])", r"\\\1", said) if said else ""
