"""The table of a set of runs: one row per fault and stream agent it was aimed at, as text or as a page's table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

from tests.chaos.results import Result, Row
from tests.checker.measures import percentile
from tests.checker.report import seconds

LOST = ("lost write", "lost row", "commit hole", "poll skip")
DOUBLED = ("duplicate", "doubled row", "commit back", "non-monotonic poll")
STALE = ("stale row", "aborted read")
ALL = "all"


@dataclass(frozen=True)
class Figures:
    """``strikes``: of the fault; ``other``: findings of other kinds, crashes of processes too; ``stuck``: runs that did not get
    over a strike or never came to rest, and so could not be judged.

    ``recovered``: faults after which every lane was seen to go on, of all; ``amplification``: the worst.
    """

    fault: str
    aimed_at: str
    runs: int
    strikes: int
    blocks: int
    answers: int
    lost: int
    doubled: int
    stale: int
    other: int
    stuck: int
    recovered: str
    p50: str
    p99: str
    amplification: str


HEADINGS = ("fault", "aimed at", "runs", "strikes", "blocks", "answers", "lost", "doubled", "stale", "other", "stuck",
            "recovered", "recovery p50", "p99", "amplification")  # fmt: skip


def figures(row: Row, results: Sequence[Result]) -> Figures:
    """Of the runs of one row."""
    fault, target = row
    times = [time for result in results for time in result.seconds]
    worst = [result.amplification for result in results if result.amplification is not None]

    def total(kinds: Sequence[str]) -> int:
        return sum(result.counts.get(kind, 0) for result in results for kind in kinds)

    return Figures(
        fault=fault.partition("*")[0] if "+" not in fault else fault,
        aimed_at=target or ALL,
        runs=len(results),
        strikes=sum(result.strikes for result in results),
        blocks=sum(result.blocks for result in results),
        answers=sum(result.answers for result in results),
        lost=total(LOST),
        doubled=total(DOUBLED),
        stale=total(STALE),
        other=sum(sum(result.counts.values()) + result.crashes for result in results) - total((*LOST, *DOUBLED, *STALE)),
        stuck=sum(result.stuck for result in results),
        recovered=f"{len(times)} of {sum(result.recoveries for result in results)}",
        p50=seconds(percentile(times, 0.5)),
        p99=seconds(percentile(times, 0.99)),
        amplification=f"{max(worst):.2f}" if worst else "-",
    )


def text(rows: Sequence[Figures]) -> Iterator[str]:
    """The table in columns."""
    cells = [HEADINGS, *(tuple(map(str, astuple(row))) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    for number, line in enumerate(cells):
        left = [cell.ljust(width) for cell, width in zip(line[:2], widths, strict=False)]
        right = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        yield "  ".join([*left, *right]).rstrip()
        if number == 0:
            yield "-" * (sum(widths) + 2 * (len(widths) - 1))


def markdown(rows: Sequence[Figures]) -> Iterator[str]:
    """The table as a page holds it."""
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|{'---|' * 2}{'---:|' * (len(HEADINGS) - 2)}"
    for row in rows:
        fault, *rest = map(str, astuple(row))
        yield f"| `{fault}` | {' | '.join(rest)} |"
