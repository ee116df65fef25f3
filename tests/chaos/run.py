"""The course of one run: the chain lives for some seconds while faults strike, comes to rest, and everything is judged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from connectors.chain.devchain import ReorgPlan
from connectors.chain.devchain.steps import Step, StepKind, script
from tests.chaos.brokers import Brokers
from tests.chaos.effort import watch
from tests.chaos.faults import FAULTS
from tests.chaos.node import MakeNode
from tests.chaos.residue import INPUTS, residue
from tests.chaos.stage import Stage, stage
from tests.chaos.tap import Tap
from tests.chaos.writer import Writer
from tests.checker.history import History, write
from tests.checker.report import Report, check

BLOCK_SECONDS = 0.25
WARM_SECONDS = 90.0
REST_SECONDS = 120.0
STRIKES = 2
ADVANCE = Step(StepKind.ADVANCE)
PLAN = ReorgPlan(every=6, max_depth=20)


@dataclass(frozen=True)
class Outcome:
    """One run. ``deaths``: processes that ended by themselves; ``stuck``: what never came to rest."""

    fault: str
    seed: int
    blocks: int
    report: Report | None
    deaths: tuple[tuple[str, int], ...]
    stuck: tuple[str, ...]
    history: Path

    @property
    def good(self) -> bool:
        return self.report is not None and self.report.clean and not self.stuck


async def run(brokers: Brokers, make_node: MakeNode, folder: Path, fault: str, seed: int, seconds: float) -> Outcome:
    """Strikes twice in ``seconds`` of a live chain. Never raises for what the product does wrong: it is in the outcome."""
    path = folder / "history.jsonl.gz"
    async with stage(brokers, make_node, folder, seed) as at:
        tap = Tap(at.settings.kafka, at.recorder.say)
        writer = Writer(at.settings.kafka, at.node.agents, seed, at.recorder.say)
        async with _beside(tap.run(), watch(at), _mending(at)):
            stuck = await _course(at, tap, writer, fault, seed, seconds)
        head = at.node.head
        if not stuck:
            for event in await residue(at.settings, at.node.url, head):
                at.recorder.events.append(event)
        deaths = tuple(at.processes.deaths)
    history = History(tuple(at.recorder.events))
    write(path, history.events)
    return Outcome(fault, seed, head.number, None if stuck else check(history), deaths, tuple(stuck), path)


async def _course(at: Stage, tap: Tap, writer: Writer, fault: str, seed: int, seconds: float) -> list[str]:
    steps = list(script(seed, max(9, int(seconds / BLOCK_SECONDS)), PLAN))
    await at.node.play(steps[:3], 0)
    if stuck := await _rest(at, tap, WARM_SECONDS):  # the processes are up: faults strike a running pipeline
        return stuck
    writing = asyncio.create_task(writer.run())
    over = asyncio.Event()
    playing = asyncio.create_task(_live(at, steps[3:], over))
    random = Random(f"chaos {fault} {seed}")
    try:
        for _ in range(STRIKES):
            await asyncio.sleep(seconds / STRIKES * random.uniform(0.1, 0.4))
            await FAULTS[fault](at, random)
            await asyncio.sleep(seconds / STRIKES * 0.3)
        over.set()
        await playing
        await _advance(at)
    finally:
        writer.stop.set()
        playing.cancel()
        await asyncio.gather(writing, playing, return_exceptions=True)
    return await _rest(at, tap, REST_SECONDS)


async def _live(at: Stage, steps: Sequence[Step], over: asyncio.Event) -> None:
    """The script, and then on: a chain does not stand still where a fault lasts longer."""
    await at.node.play(steps, BLOCK_SECONDS)
    while not over.is_set():
        await at.node.play([ADVANCE], BLOCK_SECONDS)


async def _advance(at: Stage) -> None:
    """A few more blocks after the last fault, so that there is something to recover with."""
    await at.node.play([ADVANCE] * 8, BLOCK_SECONDS)


async def _rest(at: Stage, tap: Tap, patience: float) -> list[str]:
    """Waits until the log ends where the chain does and everything in it is settled; what is not, if it takes too long."""
    loop = asyncio.get_running_loop()
    deadline, quiet = loop.time() + patience, 0
    while quiet < 5:
        await asyncio.sleep(0.2)
        behind = list(_behind(at, tap))
        quiet = 0 if behind else quiet + 1
        if loop.time() > deadline:
            return behind or ["does not come to rest"]
    return []


def _behind(at: Stage, tap: Tap) -> Iterator[str]:
    head = at.node.head
    if tap.seen.head != head.hash:
        yield f"the log ends in {tap.seen.head.hex()[:8]}, the chain in {head}"
    yield from tap.seen.behind(INPUTS)


async def _mending(at: Stage) -> None:
    while True:
        at.processes.mend()
        await asyncio.sleep(1.0)


@asynccontextmanager
async def _beside(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs coroutines meanwhile; what one raises is raised at the end."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
