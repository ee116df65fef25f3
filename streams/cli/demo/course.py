"""Runs the parts of a demo or of the harness one after the other, tells how each went, and keeps what it measured.

Invariants: a part that fails, for whatever reason, is a result and not an end: those after it run, unless a process of the
pipeline is gone; a result holds only what the part itself counted or timed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from streams.cli.demo.processes import ChildError
from streams.errors import Category, MonmouthError, Severity

log = logging.getLogger(__name__)
Metrics = Mapping[str, Any]
Part = Callable[[], Awaitable[Metrics]]
PART_SECONDS = 120.0


class CheckError(MonmouthError):
    """What a part found is not what it must be."""

    category = Category.PROCESSING
    severity = Severity.MEDIUM


def expect(found: bool, what: str) -> None:
    """Raises CheckError unless ``found``. ``what``: what must be, and what was there instead."""
    if not found:
        raise CheckError(what)


@dataclass(frozen=True, slots=True)
class PartResult:
    """How a part went. ``duration``: seconds. ``error``: why it failed, None if it did not."""

    name: str
    success: bool
    duration: float
    error: str | None
    metrics: Metrics


@dataclass(slots=True)
class Course:
    """``total``: how many parts there are to be. ``seconds``: most that one may take."""

    console: Console
    total: int
    seconds: float = PART_SECONDS
    results: list[PartResult] = field(default_factory=list)

    async def run(self, name: str, part: Part) -> PartResult:
        """Runs one part. Raises ChildError, since nothing goes on without its processes."""
        self.console.print(f"[bold]\\[{len(self.results) + 1}/{self.total}][/bold] {name} …", highlight=False)
        began, metrics, error = time.monotonic(), {}, None
        try:
            with self.console.status(name):  # on a terminal alone
                async with asyncio.timeout(self.seconds):
                    metrics = dict(await part())
        except ChildError:
            raise
        except TimeoutError:
            error = f"not done within {self.seconds:.0f} s"
        except MonmouthError as failed:
            error = failed.message
        except Exception as failed:  # a defect is a failed part; the report is written all the same
            log.exception("part %s", name)
            error = f"{type(failed).__name__}: {failed}"
        result = PartResult(name, error is None, time.monotonic() - began, error, metrics)
        self.results.append(result)
        self._tell(result)
        return result

    def _tell(self, result: PartResult) -> None:
        mark = "[green]ok[/green]" if result.success else "[red]FAILED[/red]"
        said = result.error or ", ".join(f"{name} {shown(value)}" for name, value in result.metrics.items())
        self.console.print(f"      {mark} in {result.duration:.1f} s: ", end="", highlight=False)
        self.console.print(said, highlight=False, markup=False, soft_wrap=True)

    @property
    def passed(self) -> bool:
        """Whether all parts there are to be have run, and none failed."""
        return len(self.results) == self.total > 0 and all(result.success for result in self.results)


def shown(value: Any) -> str:
    """A metric as text."""
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def averages(results: Sequence[PartResult]) -> dict[str, float]:
    """Over all parts: share that passed, mean and longest duration. Raises ValueError where there is none."""
    if not results:
        raise ValueError("no part has run")
    seconds = [result.duration for result in results]
    passed = sum(result.success for result in results) / len(results)
    return {"passed": passed, "mean seconds": sum(seconds) / len(seconds), "longest seconds": max(seconds)}
