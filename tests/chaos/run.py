"""The course of one run: faults strike a living chain, each when all got over the one before, it comes to rest, and everything
is judged.

A name such as ``kill-worker+poison`` stands for several faults that strike one stage in turn, ``kill-worker*20`` for one that
strikes so often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random

from connectors.chain.devchain import ReorgPlan
from connectors.chain.devchain.steps import Step, StepKind, script
from tests.chaos.brokers import Brokers
from tests.chaos.effort import watch
from tests.chaos.faults import FAULTS, Fault, needs_of, strikes_of
from tests.chaos.life import BLOCK_SECONDS, Life
from tests.chaos.node import MakeNode
from tests.chaos.reader import Reader
from tests.chaos.residue import INPUTS, residue
from tests.chaos.stage import Stage, stage
from tests.chaos.tap import Tap
from tests.chaos.unavailable import UnavailableError
from tests.chaos.writer import Writer
from tests.checker.history import History, write
from tests.checker.report import Report, check
from tests.identity import operator_token

WARM_SECONDS = 90.0
REST_SECONDS = 120.0
"""That the pipeline may stand still before it is over a fault, or at rest."""
SETTLED_EVERY = 0.2
LONGEST = 10
LIVELY_SECONDS = 15.0
"""That the chain lives on while a strike is got over."""
ENDLESS = 1_000_000
ADVANCE = Step(StepKind.ADVANCE)
PLAN = ReorgPlan(every=6, max_depth=20)


@dataclass(frozen=True)
class Outcome:
    """One run. ``target``: the stream agent aimed at, None for all. ``deaths``: processes that ended by themselves.

    ``stuck``: what never came to rest, or did not do under a fault what it must. ``answers``: of the gateway, each of which was
    judged; ``refusals``: questions that got none. ``crashes``: deaths that no error of the product's own explains.
    ``strikes``: of the fault, done.
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
    crashes: tuple[str, ...] = ()
    strikes: int = 1

    @property
    def good(self) -> bool:
        return self.report is not None and self.report.clean and not self.stuck and not self.crashes


Course = Callable[[Brokers, MakeNode, Path, str, int, float, str | None, float | None], Awaitable[Outcome]]
"""As ``run``."""


async def run(
    brokers: Brokers,
    make_node: MakeNode,
    folder: Path,
    fault: str,
    seed: int,
    apart: float,
    target: str | None = None,
    pause: float | None = None,
) -> Outcome:
    """Strikes a live chain. ``apart``: seconds at most between what was got over and the next strike; ``pause``: that what is
    stopped stands still.

    Never raises for what the product does wrong: it is in the outcome. Raises UnavailableError where this machine cannot do
    what the fault needs.
    """
    path = folder / "history.jsonl.gz"
    async with stage(brokers, make_node, folder, seed, target, needs_of(fault)) as at:
        at.pause = pause
        tap = Tap(at.settings.kafka, at.recorder.say)
        writer = Writer(at.settings, at.node.agents, seed, at.recorder.say)
        reader = Reader(
            at.gateway, operator_token(at.settings), at.node.agents, seed, lambda: tap.seen.sequence, at.recorder.say
        )
        async with beside(tap.run(), watch(at), mending(at), reader.run()):
            done: list[str] = []
            stuck = await _course(at, tap, writer, reader, fault, seed, apart, done)
        if not stuck and not reader.answers:
            ends = [code for name, code in at.processes.deaths if name == "gateway"]
            stuck = [f"the gateway answered nothing; the last of {reader.refusals}: {reader.reason}; it ended with {ends}"]
        return replace(await judged(at, fault, seed, stuck, path, reader), strikes=len(done))


async def judged(at: Stage, fault: str, seed: int, stuck: Sequence[str], path: Path, reader: Reader | None = None) -> Outcome:
    """Reads what is left, writes the history to ``path`` and checks it, unless the stage is stuck."""
    head = at.node.head
    if not stuck:
        at.recorder.events += await residue(at.settings, at.node.url, head)
    history = History(tuple(at.recorder.events))
    await asyncio.to_thread(write, path, history.events)
    report = None if stuck else await asyncio.to_thread(check, history)
    asked = (reader.answers, reader.refusals) if reader else (0, 0)
    processes = at.processes
    return Outcome(
        fault,
        at.target,
        seed,
        head.number,
        report,
        tuple(processes.deaths),
        tuple(stuck),
        path,
        *asked,
        crashes=tuple(processes.crashes),
    )


async def _course(
    at: Stage, tap: Tap, writer: Writer, reader: Reader, fault: str, seed: int, apart: float, done: list[str]
) -> list[str]:
    """``done``: takes the name of each strike that struck. What is wrong."""
    strikes = [FAULTS[name] for name in strikes_of(fault)]
    steps = script(seed, ENDLESS, PLAN)
    await at.node.play(islice(steps, 3), 0)
    if stuck := await rest(at, tap, WARM_SECONDS):  # the processes are up: faults strike a running pipeline
        return stuck
    life = Life(at.node, steps)
    writing, living = asyncio.create_task(writer.run()), asyncio.create_task(life.run())
    random = Random(f"chaos {fault} {seed}")
    try:
        for strike in strikes:
            await asyncio.sleep(apart * random.random())
            found = await struck(at, tap, reader, life, strike, random)
            done.append(strike.__name__)
            if found:
                return found
        life.end()
        await living
        await advance(at)
    finally:
        writer.stop.set()
        living.cancel()
        await asyncio.gather(writing, living, return_exceptions=True)
    return await rest(at, tap, REST_SECONDS)


async def struck(at: Stage, tap: Tap, reader: Reader, life: Life, strike: Fault, random: Random) -> list[str]:
    """Strikes, and waits until all got over it: the log goes on, every lane passed what the log held when the strike was over,
    and the gateway answers. What did not, or what the strike itself met. The chain rests where that takes long.
    """
    try:
        await strike(at, random)
    except UnavailableError:
        raise
    except Exception as error:  # whatever it is, it is a finding, and the next run begins
        return [f"{strike.__name__}: {type(error).__name__}: {error}"]
    held, sequence, answers = dict(tap.seen.ends), tap.seen.sequence, reader.answers
    still, struck_at = Standstill(REST_SECONDS), time.monotonic()
    while True:
        behind = tap.seen.behind(INPUTS, held)
        if tap.seen.sequence <= sequence:
            behind.append(f"the log stays at notification {sequence}")
        if reader.answers <= answers:
            behind.append("the gateway does not answer")
        if not behind:
            life.go_on()
            return []
        if tap.seen.sequence > sequence and time.monotonic() - struck_at > LIVELY_SECONDS:
            life.rest()
        if still.too_long(behind):
            return [f"{strike.__name__}: {line}" for line in (*behind, f"the gateway said last: {reader.reason}")]
        await asyncio.sleep(SETTLED_EVERY)


async def advance(at: Stage) -> None:
    """A few more blocks after the last fault, so that there is something to recover with."""
    await at.node.play([ADVANCE] * 8, BLOCK_SECONDS)


async def rest(at: Stage, tap: Tap, patience: float, agents: Collection[str] = tuple(INPUTS)) -> list[str]:
    """Waits until the log ends where the chain does and ``agents`` have settled all; what is not so, once it stands still for
    ``patience`` seconds.
    """
    still, quiet = Standstill(patience), 0
    while quiet < 5:
        await asyncio.sleep(SETTLED_EVERY)
        behind = list(_behind(at, tap, agents))
        quiet = 0 if behind else quiet + 1
        if still.too_long(behind):
            return behind or ["does not come to rest"]
    return []


class Standstill:
    """Whether what is behind has not changed for too long, since a machine that is busy with other things takes its time, or
    has gone round in a circle for ``LONGEST`` times as long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: list[str] = []
        self._began = self._since = time.monotonic()

    def too_long(self, behind: list[str]) -> bool:
        """``behind``: what is, now."""
        if behind != self._last:
            self._last, self._since = behind, time.monotonic()
        now = time.monotonic()
        return now - self._began > LONGEST * self._seconds or (bool(behind) and now - self._since > self._seconds)


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
