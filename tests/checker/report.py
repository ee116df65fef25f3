"""All classes and figures of a history, and the table that shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.checker.anomaly import Anomaly
from tests.checker.commits import commit_holes, commits_back
from tests.checker.digests import digest_mismatches
from tests.checker.history import History
from tests.checker.markers import marker_mismatches
from tests.checker.measures import Recovery, amplification, percentile, recoveries
from tests.checker.order import key_order
from tests.checker.polls import nonmonotonic_polls, poll_skips
from tests.checker.rows import doubled_rows, lost_rows, stale_rows
from tests.checker.writes import aborted_reads, duplicates, inconsistent_offsets, lost_writes

CLASSES: dict[str, Callable[[History], Iterable[Anomaly]]] = {
    "lost write": lost_writes,
    "duplicate": duplicates,
    "aborted read": aborted_reads,
    "inconsistent offset": inconsistent_offsets,
    "poll skip": poll_skips,
    "non-monotonic poll": nonmonotonic_polls,
    "stale row": stale_rows,
    "lost row": lost_rows,
    "doubled row": doubled_rows,
    "commit hole": commit_holes,
    "commit back": commits_back,
    "key order": key_order,
    "marker mismatch": marker_mismatches,
    "digest mismatch": digest_mismatches,
}
SHOWN = 5


@dataclass(frozen=True)
class Report:
    """What a history holds. ``counts`` has every class, found or not."""

    events: int
    anomalies: tuple[Anomaly, ...]
    amplification: dict[str, float]
    recoveries: tuple[Recovery, ...]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(anomaly.kind for anomaly in self.anomalies)
        return {kind: found[kind] for kind in CLASSES}

    @property
    def clean(self) -> bool:
        return not self.anomalies

    @property
    def seconds(self) -> list[float]:
        """Recovery times that are known."""
        return [r.seconds for r in self.recoveries if r.seconds is not None]


def check(history: History) -> Report:
    """Runs every class and measure. Raises HistoryError if the history contradicts its schema."""
    anomalies = tuple(anomaly for find in CLASSES.values() for anomaly in find(history))
    return Report(len(history.events), anomalies, amplification(history), tuple(recoveries(history)))


def seconds(value: float | None) -> str:
    """A time for a table."""
    return "-" if value is None else f"{value:.1f} s"


def table(report: Report) -> str:
    """The summary, one class a line, with the first findings of each."""
    lines = [f"{report.events:,} events"]
    for kind, count in report.counts.items():
        lines.append(f"  {kind:<20} {count:>7,}")
        lines += [f"      {a.where}: {a.what}" for a in [a for a in report.anomalies if a.kind == kind][:SHOWN]]
    for group, times in sorted(report.amplification.items()):
        lines.append(f"  amplification of {group}: {times:.2f}")
    if report.recoveries:
        p50, p99 = percentile(report.seconds, 0.5), percentile(report.seconds, 0.99)
        lines.append(
            f"  recovery: {len(report.seconds)} of {len(report.recoveries)} faults, p50 {seconds(p50)}, p99 {seconds(p99)}"
        )
    lines.append("clean" if report.clean else f"{len(report.anomalies):,} anomalies")
    return "\n".join(lines)
