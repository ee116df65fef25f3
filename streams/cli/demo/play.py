"""Plays a demo of parts: stage, parts one after the other, report, verdict.

Invariants: the report holds the parts that ran, also of a demo that was interrupted or lost a process; whatever was started is
gone at the end; the verdict is yes only if every part ran and its checks held.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from connectors.chain.devchain import DevChain
from streams.cli.demo.course import Course, Part
from streams.cli.demo.report import markdown, write
from streams.cli.demo.system import System, deployed
from streams.settings import Settings

FINALITY_DEPTH = 64
PART_SECONDS = 900.0
"""That a part may take beyond the traffic it is asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command was asked for. ``fast``: a short run. ``report``: file to write."""

    fast: bool
    seed: int
    report: Path | None
    external_kafka: bool


@dataclass(frozen=True, slots=True)
class Show:
    """A demo. ``parts``: their names and what each does, on a running system. ``transactions``: in a block, about. ``seconds``:
    of traffic that its parts are asked for.
    """

    title: str
    agents: int
    transactions: int
    workers: int
    parts: Callable[[System], Sequence[tuple[str, Part]]]
    seconds: float = 0.0


async def play(show: Show, base: Settings, wanted: Wanted) -> bool:
    """Whether all parts ran and held. Raises MonmouthError for what stops the demo."""
    console, began = Console(), time.monotonic()
    course = Course(console, 0, PART_SECONDS + show.seconds)
    try:
        await _played(show, base, wanted, course)
    finally:
        seconds = time.monotonic() - began
        _tell(course, seconds)
        if wanted.report is not None:
            write(wanted.report, markdown(show.title, _facts(show, base, wanted, course, seconds), course.results))
            console.print(f"report: {wanted.report}", soft_wrap=True)
    return course.passed


async def _played(show: Show, base: Settings, wanted: Wanted, course: Course) -> None:
    console = course.console
    console.print(f"[bold]{show.title}[/bold]: {show.agents} agents, {show.workers} workers; starting …", highlight=False)
    chain = DevChain(wanted.seed, agents=show.agents, transactions=show.transactions, finality_depth=FINALITY_DEPTH)
    external = wanted.external_kafka
    async with deployed(base, chain, workers=show.workers, external_kafka=external, say=console.print) as system:
        parts = show.parts(system)
        course.total = len(parts)
        for name, part in parts:
            await course.run(name, part)
            system.check()
        console.print("stopping everything …")


def _tell(course: Course, seconds: float) -> None:
    said = f"{sum(result.success for result in course.results)} of {course.total} parts held, in {seconds:.0f} s"
    text = f"[green]{said}[/green]" if course.passed else f"[red]{said}: NOT everything held[/red]"
    course.console.print(text, highlight=False)


def _facts(show: Show, base: Settings, wanted: Wanted, course: Course, seconds: float) -> dict[str, str]:
    return {
        "agents": str(show.agents),
        "transactions in a block": f"about {show.transactions}",
        "workers": str(show.workers),
        "partitions": str(base.kafka.partitions),
        "seed": str(wanted.seed),
        "run": "short" if wanted.fast else "full",
        "parts that ran": f"{len(course.results)} of {course.total}",
        "seconds in all": f"{seconds:.0f}",
    }
