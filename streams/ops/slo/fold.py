"""The table of service levels: half hours of good and bad events of each process, folded from its reports.

State is bytes in a mapping (the table), under PARTITION/PROCESS. Invariants: folding a record again changes nothing; what is
said is always a whole half hour, so that saying it again changes nothing either; processes are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence

from schemas.codec import SchemaError
from streams.ops import series
from streams.ops.reports import ENDED, MetricReport, MetricSample, Window, is_count
from streams.ops.slo.minutes import HALF_MS, Minutes
from streams.ops.slo.objectives import Objective

SAY_MS = 5_000
"""Between two times that an open half hour is said."""
GONE_MS = 4 * HALF_MS
AHEAD_MS = 300_000
"""How far a process's clock may be ahead of the broker's."""


class SloFold:
    """``processes``: most that are kept."""

    def __init__(self, table: MutableMapping[bytes, bytes], objectives: Sequence[Objective], processes: int) -> None:
        self._table = table
        self._objectives = objectives
        self._most = processes
        self._known: dict[bytes, Minutes] = {}
        self._loaded: set[int] = set()
        self._newest = 0

    def forget(self) -> None:
        """Partitions went to another worker: what is known of them is read from the table again when they are back."""
        self._known.clear()
        self._loaded.clear()

    def take(self, partition: int, value: bytes | None, broker_ms: int) -> list[Window]:
        """Folds one record in, writes what changed into the table, and says which half hours are to be published."""
        said = self._load(partition)
        try:
            report = MetricReport.from_value(value)
        except SchemaError:
            return said
        key = b"%d/%s" % (partition, report.key)
        if report.at_ms > broker_ms + AHEAD_MS or (key not in self._known and len(self._known) >= self._most):
            return said
        series.REFUSED.labels("count").inc(sum(self._is_wrong(sample) for sample in report.samples))
        minutes = self._known.setdefault(key, Minutes())
        before = minutes.at_ms
        changed = minutes.take(report, self._objectives)
        if not changed:
            return said
        ended = [(name, start) for name, halves in minutes.halves.items() for start in halves if start < changed[0][1]]
        ends = any(sample.name == ENDED for sample in report.samples)
        if ends or before // SAY_MS != minutes.at_ms // SAY_MS:
            said += self._said(key, minutes, [*(ended if before // HALF_MS != minutes.at_ms // HALF_MS else ()), *changed])
        minutes.forget()
        self._table[key] = minutes.to_bytes()
        return [*said, *self._sweep(partition, minutes.at_ms)]

    def _is_wrong(self, sample: MetricSample) -> bool:
        """Whether an objective counts by a sample that is no count. Then that objective learns nothing of the report."""
        return not is_count(sample.value) and any(objective.looks_at(sample) for objective in self._objectives)

    def _said(self, key: bytes, minutes: Minutes, which: Sequence[tuple[str, int]]) -> Iterator[Window]:
        component, _, instance = key.partition(b"/")[2].decode().partition("/")
        labels = {"component": component, "instance": instance}
        for name, start in which:
            yield minutes.halves[name][start].window(name, labels, start, minutes.at_ms)

    def _load(self, partition: int) -> list[Window]:
        """Reads what the table holds of a partition, and says it again: who wrote it may have died before it was said."""
        if partition in self._loaded:
            return []
        self._loaded.add(partition)
        said: list[Window] = []
        for key in [key for key in self._table if key.startswith(b"%d/" % partition)]:
            try:
                minutes = self._known[key] = Minutes.from_bytes(self._table[key])
            except SchemaError:
                del self._table[key]
                continue
            said += self._said(key, minutes, minutes.kept())
        return said

    def _sweep(self, partition: int, at_ms: int) -> Iterator[Window]:
        """Lets go of processes of this partition that said nothing for long, once in half an hour."""
        newest, self._newest = self._newest, max(self._newest, at_ms)
        if newest // HALF_MS == self._newest // HALF_MS:
            return
        for key, minutes in list(self._known.items()):
            if key.startswith(b"%d/" % partition) and minutes.at_ms < self._newest - GONE_MS:
                yield from self._said(key, minutes, minutes.kept())
                del self._known[key]
                self._table.pop(key, None)
