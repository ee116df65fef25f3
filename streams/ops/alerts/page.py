"""Pages of metrics in the Prometheus text format, read again and again from the same process.

A page of thousands of series is read several times a second, and from look to look only numbers differ: what stands in front
of a number is parsed once. Invariants: what is no such page is refused, never taken for an empty one; what is remembered is
bounded.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from prometheus_client.parser import text_string_to_metric_families

from streams.ops.alerts.series import Labels, Sample

MOST_KNOWN = 50_000
_NAME = re.compile(r"([a-zA-Z_:][\w:]*)[{ \t]")


class PageReader:
    """Pages of ``target``, of which the samples called as ``wanted`` are read."""

    def __init__(self, target: str, wanted: Container[str]) -> None:
        self._target = target
        self._wanted = wanted
        self._known: dict[str, tuple[str, Labels] | None] = {}

    def read(self, text: str, at: float) -> Iterator[Sample]:
        """Samples under their ``target``. Raises ValueError for what is no page of metrics."""
        for line in text.split("\n"):
            if not line or line[0] == "#":
                continue
            series, _, number = line.rpartition(" ")
            if series in self._known:
                if (known := self._known[series]) is not None:
                    yield Sample(*known, at, float(number))
            elif (sample := self._parsed(series, line, at)) is not None:
                yield sample

    def _parsed(self, series: str, line: str, at: float) -> Sample | None:
        named = _NAME.match(line)
        if named is None:
            raise ValueError(f"no line of a page of metrics: {line[:60]}")
        known = None
        found = None
        if named[1] in self._wanted:
            ((sample,),) = (family.samples for family in text_string_to_metric_families(line))
            known = sample.name, tuple(sorted({**sample.labels, "target": self._target}.items()))
            found = Sample(*known, at, float(sample.value))
            if sample.timestamp is not None:  # the number at the end of its lines is no value
                return found
        if len(self._known) < MOST_KNOWN:
            self._known[series] = known
        return found
