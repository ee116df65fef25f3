"""The table of metrics in docs/monitoring.md, from the registries. To write it anew: ``python -m tests.metrics_table``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NamedTuple

from prometheus_client import REGISTRY as DEFAULT_REGISTRY

import connectors
import streams
from streams.metrics import REGISTRY, measure_disk
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "monitoring.md"
HEAD = "| metric | type | labels | of | what it says |\n|---|---|---|---|---|\n"
PREFIX = "monmouth_"
OURS = ("streams.", "connectors.")
WHERE = {
    "streams.runtime": "worker",
    "streams.agents": "worker",
    "streams.producer": "producer",
    "streams.serving": "gateway",
    "streams.ops.series": "ops",
    "streams.ops.alerts": "alerts watch",
    "connectors.embedding": "worker, gateway",
}
"""Which process shows what a package measures; the longest prefix counts. What is not here, every one may."""


class Row(NamedTuple):
    name: str
    type: str
    labels: tuple[str, ...]
    of: str
    says: str

    def __str__(self) -> str:
        labels = ", ".join(f"`{label}`" for label in self.labels)
        return f"| `{self.name}` | {self.type} | {labels} | {self.of} | {self.says} |"


def load() -> None:
    """Imports everything, since a metric is registered where it is measured."""
    for package in (streams, connectors):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    measure_disk(Path())


def rows() -> list[Row]:
    """Of every metric, by name."""
    load()
    ours = sorted(name for name in sys.modules if name.startswith(OURS))
    homes = {id(value): name for name in ours for value in vars(sys.modules[name]).values()}
    homes |= {id(value): name for name in ours if name.endswith("metrics") for value in vars(sys.modules[name]).values()}
    found = []
    for registry in (REGISTRY, DEFAULT_REGISTRY):
        for collector in list(registry._collector_to_names):
            if collector is DEFAULT_REGISTRY:
                continue
            home = _home(collector, homes)
            for family in _families(collector):
                if family.name.startswith(PREFIX):
                    name = f"{family.name}_total" if family.type == "counter" else family.name
                    labels = tuple(getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ()))
                    found.append(Row(name, family.type, labels, _where(home), family.documentation))
    return sorted(found)


def _families(collector: Any) -> Iterator[Any]:
    yield from (collector.describe() if hasattr(collector, "describe") else ()) or collector.collect()


def _home(collector: Any, homes: dict[int, str]) -> str:
    """The package of ours that defines it: a metric is a name in a module, or of a class of ours."""
    module = type(collector).__module__
    return module if module.startswith(OURS) else homes.get(id(collector), "streams.metrics")


def _where(home: str) -> str:
    for package in sorted(WHERE, key=len, reverse=True):
        if f"{home}.".startswith(f"{package}."):
            return WHERE[package]
    return "every process"


def table() -> str:
    """As the page has it."""
    return HEAD + "".join(f"{row}\n" for row in rows())


def written() -> str:
    """What the page has."""
    found = re.search(re.escape(HEAD) + r"(?:\|.*\n)*", PAGE.read_text())
    return found.group(0) if found else ""


def documented() -> list[Row]:
    """The rows of the page."""
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in written().splitlines()[2:]]
    return [
        Row(name.strip("`"), kind, tuple(re.findall(r"`(\w+)`", labels)), of, says) for name, kind, labels, of, says in cells
    ]


if __name__ == "__main__":
    new, text = table(), PAGE.read_text()
    if "--print" in sys.argv:
        sys.stdout.write(new)
    else:
        PAGE.write_text(text.replace(written(), new) if written() else f"{text}\n{new}")
