"""The course of one run: the chain lives for some seconds while faults strike, comes to rest, and everything is judged.

A name such as ``kill-worker+poison`` stands for several faults that strike one stage in turn, ``kill-worker*20`` for one that
strikes so often.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from random import Random

from connectors.chain.devchain import ReorgPlan
from connectors.chain.devchain.steps import Step, StepKind, script
from tests.chaos.brokers import Brokers
from tests.chaos.effort import watch
from tests.chaos.faults import FAULTS, needs_of, strikes_of
from tests.chaos.node import MakeNode
from tests.chaos.reader import Reader
from tests.chaos.residue import INPUTS, residue
from tests.chaos.stage import Stage, stage
from tests.chaos.tap import Tap
from tests.chaos.writer import Writer
from tests.checker.history import History, write
from tests.checker.report import Report, check
from tests.identity import operator_token

BLOCK_SECONDS = 0.25
WARM_SECONDS = 90.0
REST_SECONDS = 120.0
ENDLESS = 1_000_000
ADVANCE = Step(StepKind.ADVANCE)
PLAN = ReorgPlan(every=6, max_depth=20)


@dataclass(frozen=True)
class Outcome:
    """One run. ``target``: the stream agent aimed at, None for all. ``deaths``: processes that ended by themselves.

    ``stuck``: what never came to rest, or did not do under a fault what it must. ``answers``: of the gateway, each of which was
    judged; ``refusals``: questions that got none.
    """

    fault: str
    target: str | None
    seed: int
    blocks: int
    report: Report | None
    deaths: tuple[tuple[str, int], ...]
    stuck: tuple[str, ...]
    history: Path
    answers: int = 0
    refusals: int = 0

    @property
    def good(self) -> bool:
        return self.report is not None and self.report.clean and not self.stuck


Course = Callable[[Brokers, MakeNode, Path, str, int, float, str | None, float | None], Awaitable[Outcome]]
"""As ``run``."""


async def run(
    brokers: Brokers,
    make_node: MakeNode,
    folder: Path,
    fault: str,
    seed: int,
    seconds: float,
    target: str | None = None,
    pause: float | None = None,
) -> Outcome:
    """Strikes in ``seconds`` of a live chain. ``pause``: seconds that what is stopped stands still.

    Never raises for what the product does wrong: it is in the outcome. Raises UnavailableError where this machine cannot do
    what the fault needs.
    """
    path = folder / "history.jsonl.gz"
    async with stage(brokers, make_node, folder, seed, target, needs_of(fault)) as at:
        at.pause = pause or at.pause
        tap = Tap(at.settings.kafka, at.recorder.say)
        writer = Writer(at.settings, at.node.agents, seed, at.recorder.say)
        reader = Reader(
            at.gateway, operator_token(at.settings), at.node.agents, seed, lambda: tap.seen.sequence, at.recorder.say
        )
        async with beside(tap.run(), watch(at), mending(at), reader.run()):
            stuck = await _course(at, tap, writer, fault, seed, seconds)
        if not stuck and not reader.answers:
            ends = [code for name, code in at.processes.deaths if name == "gateway"]
            stuck = [f"the gateway answered nothing; the last of {reader.refusals}: {reader.reason}; it ended with {ends}"]
        return await judged(at, fault, seed, stuck, path, reader)


async def judged(at: Stage, fault: str, seed: int, stuck: Sequence[str], path: Path, reader: Reader | None = None) -> Outcome:
    """Reads what is left, writes the history to ``path`` and checks it, unless the stage is stuck."""
    head = at.node.head
    if not stuck:
        at.recorder.events += await residue(at.settings, at.node.url, head)
    history = History(tuple(at.recorder.events))
    await asyncio.to_thread(write, path, history.events)
    report = None if stuck else await asyncio.to_thread(check, history)
    asked = (reader.answers, reader.refusals) if reader else (0, 0)
    return Outcome(fault, at.target, seed, head.number, report, tuple(at.processes.deaths), tuple(stuck), path, *asked)


async def _course(at: Stage, tap: Tap, writer: Writer, fault: str, seed: int, seconds: float) -> list[str]:
    strikes = [FAULTS[name] for name in strikes_of(fault)]
    share = seconds / len(strikes)
    steps = script(seed, ENDLESS, PLAN)
    await at.node.play(islice(steps, 3), 0)
    if stuck := await rest(at, tap, WARM_SECONDS):  # the processes are up: faults strike a running pipeline
        return stuck
    ending = asyncio.Event()
    writing = asyncio.create_task(writer.run())
    living = asyncio.create_task(at.node.play(takewhile(lambda _: not ending.is_set(), steps), BLOCK_SECONDS))
    random = Random(f"chaos {fault} {seed}")
    try:
        for strike in strikes:
            await asyncio.sleep(share * random.uniform(0.1, 0.4))
            try:
                await strike(at, random)
            except AssertionError as error:
                return [f"{strike.__name__}: {error}"]
            await asyncio.sleep(share * 0.6)
        ending.set()
        await living
        await advance(at)
    finally:
        writer.stop.set()
        living.cancel()
        await asyncio.gather(writing, living, return_exceptions=True)
    return await rest(at, tap, REST_SECONDS)


async def advance(at: Stage) -> None:
    """A few more blocks after the last fault, so that there is something to recover with."""
    await at.node.play([ADVANCE] * 8, BLOCK_SECONDS)


async def rest(at: Stage, tap: Tap, patience: float, agents: Collection[str] = tuple(INPUTS)) -> list[str]:
    """Waits until the log ends where the chain does and ``agents`` have settled all; what is not so, if it takes too long."""
    loop = asyncio.get_running_loop()
    deadline, quiet = loop.time() + patience, 0
    while quiet < 5:
        await asyncio.sleep(0.2)
        behind = list(_behind(at, tap, agents))
        quiet = 0 if behind else quiet + 1
        if loop.time() > deadline:
            return behind or ["does not come to rest"]
    return []


def _behind(at: Stage, tap: Tap, agents: Collection[str]) -> Iterator[str]:
    head = at.node.head
    if tap.seen.head != head.hash:
        yield f"the log ends in {tap.seen.head.hex()[:8]}, the chain in {head}"
    yield from tap.seen.behind({name: INPUTS[name] for name in agents})


async def mending(at: Stage) -> None:
    """Starts again what ends by itself, until cancelled."""
    while True:
        at.processes.mend()
        await asyncio.sleep(1.0)


@asynccontextmanager
async def beside(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
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
