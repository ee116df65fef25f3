"""The table of series: windows of ten seconds, a minute and an hour over everything that processes measured.

State is bytes in a mapping (the table), under PARTITION/PROCESS|SECONDS|START; what was read of it is kept beside it.
Invariants: processes and series are bounded, and what is refused is counted; a process that said nothing for hours is let go;
nothing here reads a clock: what is late, or of the future, is so by the broker's time of the record.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge

from schemas.codec import SchemaError
from streams.metrics import REGISTRY
from streams.ops.reports import MetricReport, Window
from streams.ops.values import windows_of
from streams.ops.window_state import cell_bytes, cell_of, summary_bytes, summary_of_bytes
from streams.ops.windows import CELL, HOUR, KEPT_MS, MINUTE, Cell, History, Limits, Summary, row_of, start_of

AHEAD_MS = 300_000
"""How far a process's clock may be ahead of the broker's."""
EVERY_MS = {CELL: 2_000, MINUTE: 6_000, HOUR: 60_000}
"""Between two times that an open window is said."""

REFUSED = Counter(
    "monmouth_ops_refused_total",
    "What the folds of reports refused: a record that is none, one from the future, one too late, a series or process too "
    "many, a sample that is no count where an objective counts by it.",
    ["reason"],
    registry=REGISTRY,
)
FOLDED = Counter("monmouth_ops_reports_folded_total", "Reports that were folded into windows.", registry=REGISTRY)
WINDOWS = Counter("monmouth_ops_windows_said_total", "Records written to ops.windows.", ["seconds"], registry=REGISTRY)
PROCESSES = Gauge("monmouth_ops_processes", "Processes whose reports are kept in windows.", registry=REGISTRY)


@dataclass(slots=True)
class _Process:
    labels: dict[str, str]
    partition: int
    history: History
    said: dict[bytes, dict[str, float]] = field(default_factory=dict)


class SeriesFold:
    """``table``: where the state is, by key. ``processes``: most that are kept."""

    def __init__(self, table: MutableMapping[bytes, bytes], processes: int, limits: Limits) -> None:
        self._table = table
        self._most = processes
        self._limits = limits
        self._processes: dict[bytes, _Process] = {}
        self._loaded: set[int] = set()
        self._swept: dict[int, int] = {}

    def forget(self) -> None:
        """Partitions went to another worker: what is known of them is read from the table again when they are back."""
        self._processes.clear()
        self._loaded.clear()

    def take(self, partition: int, value: bytes | None, broker_ms: int) -> list[Window]:
        """Folds one record in, writes what changed into the table, and says which windows are to be published."""
        said = self._load(partition)
        try:
            report = MetricReport.from_value(value)
        except SchemaError:
            REFUSED.labels("record").inc()
            return said
        if report.at_ms > broker_ms + AHEAD_MS:
            REFUSED.labels("future").inc()
            return said
        process = self._process(partition, report)
        if process is None:
            REFUSED.labels("process").inc()
            return said
        return [*said, *self._fold(process, report)]

    def _fold(self, process: _Process, report: MetricReport) -> Iterator[Window]:
        history, before = process.history, process.history.newest
        row = row_of(report)
        taken = history.take(row)
        REFUSED.labels("series").inc(report.dropped + taken.refused_series)
        if taken.late:
            REFUSED.labels("late").inc()
        if not taken.changed:
            return
        FOLDED.inc()
        start = start_of(row.at_ms, CELL)
        self._table[self._key(process, CELL, start)] = cell_bytes(history.cells[start])
        for seconds, start in taken.changed:
            if seconds == MINUTE and history.is_closed(seconds, start):
                self._table[self._key(process, MINUTE, start)] = summary_bytes(history.minute(start))
        due = {seconds for seconds, every in EVERY_MS.items() if before // every != history.newest // every}
        for seconds, start in sorted(taken.changed):
            if history.is_closed(seconds, start) or seconds in due:
                yield from self._news(process, seconds, start)
        for seconds, start in history.forget():
            self._table.pop(self._key(process, seconds, start), None)
        self._let_go(process.partition)

    def _news(self, process: _Process, seconds: int, start: int) -> Iterator[Window]:
        """What a window says, where that is not what it said last."""
        for window in windows_of(process.labels, process.history, seconds, start):
            known = process.said.get(window.key)
            if window.closed:
                process.said.pop(window.key, None)
            elif known == window.values:
                continue
            else:
                process.said[window.key] = dict(window.values)
            WINDOWS.labels(str(seconds)).inc()
            yield window

    def _process(self, partition: int, report: MetricReport) -> _Process | None:
        process = self._processes.get(report.key)
        if process is None and len(self._processes) < self._most:
            process = self._add(report.key, partition, History(limits=self._limits))
        return process

    def _add(self, key: bytes, partition: int, history: History) -> _Process:
        component, _, instance = key.decode().partition("/")
        process = _Process({"component": component, "instance": instance}, partition, history)
        self._processes[key] = process
        PROCESSES.set(len(self._processes))
        return process

    def _load(self, partition: int) -> list[Window]:
        """Reads what the table holds of a partition, and says its newest windows again: who wrote them may have died before."""
        if partition in self._loaded:
            return []
        self._loaded.add(partition)
        cells: dict[bytes, dict[int, Cell]] = {}
        minutes: dict[bytes, dict[int, Summary]] = {}
        for key in [key for key in self._table if key.startswith(b"%d/" % partition)]:
            name, size, began = key.rsplit(b"|", 2)
            try:
                if int(size) == CELL:
                    cells.setdefault(name, {})[int(began)] = cell_of(self._table[key], self._limits)
                else:
                    minutes.setdefault(name, {})[int(began)] = summary_of_bytes(self._table[key])
            except SchemaError:
                REFUSED.labels("state").inc()
        said: list[Window] = []
        for name, known in cells.items():
            history = History(known, minutes.get(name, {}), self._limits)
            process = self._add(name.partition(b"/")[2], partition, history)
            for seconds, start in sorted(history.open_since()):
                said += self._news(process, seconds, start)
        return said

    def _let_go(self, partition: int) -> None:
        """Processes of this partition, the only one whose keys may be touched now, that said nothing for very long."""
        newest = max(process.history.newest for process in self._processes.values())
        if self._swept.get(partition) == start_of(newest, MINUTE):
            return
        self._swept[partition] = start_of(newest, MINUTE)
        for key, process in list(self._processes.items()):
            if process.partition == partition and process.history.newest < newest - KEPT_MS[MINUTE]:
                history = process.history
                for seconds in (CELL, MINUTE):
                    for start in history.starts(seconds):
                        self._table.pop(self._key(process, seconds, start), None)
                del self._processes[key]
        PROCESSES.set(len(self._processes))

    @staticmethod
    def _key(process: _Process, seconds: int, start: int) -> bytes:
        name = f"{process.labels['component']}/{process.labels['instance']}"
        return f"{process.partition}/{name}|{seconds}|{start}".encode()
