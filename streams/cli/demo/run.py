"""The course of the demo: stage, processes, rounds of blocks with a comparison after each, questions, summary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live

from connectors.chain.devchain import DevChain, DevNode, ReorgPlan, run_script, sample_questions
from connectors.chain.devchain.steps import script
from connectors.chain.rpc import RpcSource
from streams.cli.demo.ask import Asked, ask, hit_rate, line
from streams.cli.demo.check import Verdict
from streams.cli.demo.observe import Observation
from streams.cli.demo.stage import Stage, in_chain_time, stage
from streams.cli.demo.system import AGENTS, DRAIN_SECONDS, PRODUCER, DemoError, System, started
from streams.cli.demo.view import picture
from streams.errors import SourceError
from streams.settings import Settings

ROUNDS = 3
LIVE = 12
"""Blocks of a real node that the demo waits for; those before them are history."""
REORG_EVERY = 6
MAX_DEPTH = 8
FINALITY_DEPTH = 24
QUESTIONS = 6
PLAIN_EVERY = 3.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was asked for."""

    blocks: int
    block_time: float
    transactions: int
    seed: int
    workers: int
    keep: bool
    rpc: str | None
    ws: str | None
    external_kafka: bool


@dataclass(slots=True)
class Show:
    """What the live view and the summary draw from."""

    console: Console
    system: System
    started: float
    agreements: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    first_reorg: float | None = None

    @property
    def seen(self) -> Observation:
        """What the topics say."""
        return self.system.seen

    def note_reorg(self) -> None:
        """Remembers when the first reorg had been healed by all stream agents."""
        first = self.seen.first_undo
        if self.first_reorg is None and first is not None and min(map(self.seen.reached, AGENTS)) >= first:
            self.first_reorg = time.monotonic() - self.started


async def run(base: Settings, options: Options) -> bool:
    """Returns whether every digest agreed. Raises MonmouthError for what stops the demo."""
    console, began = Console(), time.monotonic()
    async with AsyncExitStack() as stack:
        rules = {"transactions": options.transactions, "finality_depth": FINALITY_DEPTH}
        chain = None if options.rpc else DevChain(options.seed, **rules)
        node = await stack.enter_async_context(DevNode(chain, port=0)) if chain else None
        base = in_chain_time(base) if chain else await near_head(base, options)
        rpc, ws = (node.url, node.ws_url) if node else (options.rpc or "", options.ws)
        with stage(base, rpc, ws, external_kafka=options.external_kafka, say=console.print) as setting:
            return await _play(setting, options, console, node, began)


async def _play(setting: Stage, options: Options, console: Console, node: DevNode | None, since: float) -> bool:
    async with started(setting, node, options.workers) as system:
        show = Show(console, system, since)
        system.watch = show.note_reorg
        async with _live(show):
            if node is not None:
                await _rounds(show, node, options)
            else:
                await _follow(show, options)
        answers = await _questions(show)
        agreed = _summary(show, answers)
        if options.keep:
            await _keep(show)
        return agreed


async def _rounds(show: Show, node: DevNode, options: Options) -> None:
    """The development chain, in rounds that end at rest."""
    steps = list(script(options.seed, options.blocks, ReorgPlan(every=REORG_EVERY, max_depth=MAX_DEPTH)))
    size = -(-len(steps) // ROUNDS)
    for number in range(0, len(steps), size):
        playing = asyncio.create_task(run_script(node, 0, options.block_time, steps[number : number + size]))
        try:
            while not playing.done():
                await show.system.tick()
            playing.result()
        finally:
            playing.cancel()
        await show.system.settle()
        await _compare(show)


async def _follow(show: Show, options: Options) -> None:
    """A real node: until so many blocks were seen. It does not wait, so the producer pauses while all come to rest."""
    while show.seen.blocks < options.blocks:
        await show.system.tick()
    for _ in range(ROUNDS):
        await asyncio.to_thread(show.system.children.end, PRODUCER)
        await show.system.rest()
        try:
            await _compare(show)
            return
        except SourceError:  # the node took the log's newest block back meanwhile: follow it, and try again
            show.system.start_producer()
            await _further(show)
    raise DemoError("the chain moved in every comparison", "Try again, or follow a node with slower blocks.")


async def _further(show: Show) -> None:
    before, deadline = show.seen.sequence, time.monotonic() + DRAIN_SECONDS
    while show.seen.sequence == before and time.monotonic() < deadline:
        await show.system.tick()


async def near_head(base: Settings, options: Options) -> Settings:
    """Settings that begin below the head of the node, with ``LIVE`` blocks yet to come; a start that is set stays.

    Raises SourceError if the node does not answer.
    """
    if base.chain.start_block:
        return base
    source = RpcSource(options.rpc or "", None, level="header")
    try:
        head = await source.head()
    finally:
        await source.close()
    settings = base.model_copy(deep=True)
    settings.chain.start_block = max(0, head.number + min(LIVE, options.blocks) - options.blocks)
    return settings


async def _compare(show: Show) -> None:
    verdict = await show.system.compare()
    show.verdicts.append(verdict)
    show.agreements.append(str(verdict))


async def _questions(show: Show) -> list[Asked]:
    wanted: Sequence[tuple[bytes, str, bytes | None]]
    if show.system.node is not None:
        chosen = sample_questions(show.system.chain, per_agent=1)[:QUESTIONS]
        wanted = [(q.agent, q.text, q.memory_id) for q in chosen]
    else:
        wanted = [(agent, "what was sent?", None) for agent in sorted(show.seen.roots)[:QUESTIONS]]

    def trusted(agent: bytes) -> bytes:
        root = show.seen.roots.get(agent)
        return root["merkle_root"] if root else b""

    with show.system.client() as client:
        return [await asyncio.to_thread(ask, client, *asked, trusted) for asked in wanted]


def _summary(show: Show, answers: list[Asked]) -> bool:
    say, seen = show.console.print, show.seen
    say("\n[bold]questions[/bold]")
    for answer in answers:
        say("  " + line(answer), highlight=False, markup=False, soft_wrap=True)
    proofs = [a.proven for a in answers if a.proven is not None]
    agreed = bool(show.verdicts) and all(v.agreed for v in show.verdicts) and all(proofs)
    say("\n[bold]summary[/bold]")
    say(f"  {seen.blocks} blocks, {seen.transactions} transactions, {seen.records} records")
    say(f"  {len(seen.reorgs)} reorgs, deepest {max(seen.reorgs, default=0)} blocks; {seen.dead_letters} dead letters")
    if seen.garbage:
        say(f"  {seen.garbage} records skipped that do not belong in their topics")
    if show.first_reorg is not None:
        say(f"  first reorg healed by all stream agents {show.first_reorg:.1f} s after the start")
    for verdict in show.verdicts:
        say(f"  {verdict}")
        for difference in verdict.differences[:5]:
            say(f"    {difference}")
    say(f"  expected memory found: {hit_rate(answers)} questions; proofs verified: {sum(proofs)} of {len(proofs)}")
    say("[green]every digest agreed with the independent fold[/green]" if agreed else "[red]NOT everything agreed[/red]")
    return agreed


async def _keep(show: Show) -> None:
    settings = show.system.settings
    agent = "0x" + next(iter(sorted(show.seen.roots)), bytes(20)).hex()
    show.console.print(f"\nrunning until Ctrl-C: gateway on port {settings.gateway.port}; logs in {show.system.children.logs}")
    if not show.system.children.runs(PRODUCER):
        show.system.start_producer()
    here = f"monmouth --state-dir {settings.state_dir}"  # where the token lies
    question = f"  {here} query --url http://127.0.0.1:{settings.gateway.port} {agent} 'what did I swap?'"
    show.console.print(question, soft_wrap=True)  # one line, to be copied
    while True:
        await show.system.tick()


@asynccontextmanager
async def _live(show: Show) -> AsyncIterator[None]:
    """Draws while the body runs: live on a terminal, a line now and then elsewhere."""
    painter = asyncio.create_task(_paint(show) if show.console.is_terminal else _log(show))
    try:
        yield
    finally:
        painter.cancel()
        await asyncio.gather(painter, return_exceptions=True)


async def _paint(show: Show) -> None:
    with Live(console=show.console, refresh_per_second=8) as live:
        try:
            while True:
                live.update(picture(show.seen, AGENTS, show.agreements, time.monotonic()))
                await asyncio.sleep(0.125)
        finally:
            live.update(picture(show.seen, AGENTS, show.agreements, time.monotonic()))


async def _log(show: Show) -> None:
    while True:
        await asyncio.sleep(PLAIN_EVERY)
        seen = show.seen
        show.console.print(
            f"block {seen.head}  {seen.blocks} blocks  {seen.transactions} transactions  {len(seen.reorgs)} reorgs  "
            f"behind: {', '.join(f'{agent} {seen.lag(agent)}' for agent in AGENTS)}",
            soft_wrap=True,
        )
