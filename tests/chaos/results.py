"""Results of runs in a file, one JSON line each, so that a table of many hours can be made in as many goes as it takes.

Assumes one writer. Invariant: a line is written when its run was judged, and a run whose line is there is not run again; a line
cut short by a kill counts as not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tests.chaos.run import Outcome

Row = tuple[str, str | None]
"""Fault, and the stream agent aimed at; None: it strikes everything."""


@dataclass(frozen=True)
class Result:
    """What a table needs of one run. ``seconds``: recovery times that are known, of ``recoveries``; ``commit``: what was run;
    ``crashes``: of processes; ``strikes``: done.
    """

    fault: str
    target: str | None
    seed: int
    blocks: int
    answers: int
    counts: dict[str, int]
    seconds: list[float]
    recoveries: int
    amplification: float | None
    stuck: bool
    crashes: int = 0
    strikes: int = 1
    commit: str = ""

    @classmethod
    def of(cls, outcome: Outcome, commit: str = "") -> Result:
        """Of a run that was judged."""
        report = outcome.report
        return cls(
            fault=outcome.fault,
            target=outcome.target,
            seed=outcome.seed,
            blocks=outcome.blocks,
            answers=outcome.answers,
            counts={} if report is None else {kind: count for kind, count in report.counts.items() if count},
            seconds=[] if report is None else report.seconds,
            recoveries=0 if report is None else len(report.recoveries),
            amplification=max(report.amplification.values(), default=None) if report else None,
            stuck=bool(outcome.stuck),
            crashes=len(outcome.crashes),
            strikes=outcome.strikes,
            commit=commit,
        )

    @property
    def row(self) -> Row:
        return self.fault, self.target

    @property
    def good(self) -> bool:
        return not self.counts and not self.stuck and not self.crashes


class Results:
    """``path``: None keeps them in memory alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._found: dict[tuple[str, str | None, int], Result] = {}
        if path is not None and path.exists():
            text = path.read_text()
            self._found = {(result.fault, result.target, result.seed): result for result in _read(text)}
            if text and not text.endswith("\n"):
                path.write_text(text[: text.rfind("\n") + 1])

    def __contains__(self, run: tuple[str, str | None, int]) -> bool:
        return run in self._found

    def add(self, result: Result) -> None:
        """Adds one, in the file too before this returns."""
        self._found[result.fault, result.target, result.seed] = result
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(result)) + "\n")

    def of(self, row: Row) -> list[Result]:
        """All of a row, by seed."""
        return sorted((result for result in self._found.values() if result.row == row), key=lambda result: result.seed)


def _read(text: str) -> Iterator[Result]:
    known = {field.name for field in fields(Result)}
    for line in text.splitlines():
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            continue
        if said.keys() == known:
            yield Result(**said)
