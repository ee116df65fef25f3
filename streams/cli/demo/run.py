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
from connectors.stores import open_memory_store
from streams.cli.demo.ask import Asked, ask, hit_rate, line
from streams.cli.demo.check import Verdict, compare
from streams.cli.demo.observe import Observation, Observer
from streams.cli.demo.processes import Children
from streams.cli.demo.stage import Stage, make_topics, stage
from streams.cli.demo.view import picture
from streams.errors import Category, MonmouthError, Severity, SourceError
from streams.identity.operator import token_for
from streams.serving.client import Client
from streams.settings import Settings
from streams.signing import load_or_create_signer

AGENTS = ("intent", "memory", "embedding", "lattice", "graph")
ROUNDS = 3
PRODUCER = "producer"
LIVE = 12
"""Blocks of a real node that the demo waits for; those before them are history."""
REORG_EVERY = 6
MAX_DEPTH = 8
FINALITY_DEPTH = 24
DRAIN_SECONDS = 180.0
QUESTIONS = 6
PLAIN_EVERY = 3.0


class DemoError(MonmouthError):
    """The pipeline did not come to rest."""

    category = Category.PROCESSING
    severity = Severity.HIGH


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
    children: Children
    seen: Observation
    started: float
    agreements: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    first_reorg: float | None = None
    tail: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Raises what ended a process or the reading of the topics."""
        self.children.check()
        if self.tail is not None and self.tail.done():
            self.tail.result()

    def lag(self) -> int:
        """Steps the slowest stream agent is behind."""
        return max(self.seen.lag(agent) for agent in AGENTS)

    def note_reorg(self) -> None:
        """Remembers when the first reorg had been healed by all stream agents."""
        first = self.seen.first_undo
        if self.first_reorg is None and first is not None and min(map(self.seen.reached, AGENTS)) >= first:
            self.first_reorg = time.monotonic() - self.started


async def run(base: Settings, options: Options) -> bool:
    """Returns whether every digest agreed. Raises MonmouthError for what stops the demo."""
    console, started = Console(), time.monotonic()
    async with AsyncExitStack() as stack:
        rules = {"transactions": options.transactions, "finality_depth": FINALITY_DEPTH}
        chain = None if options.rpc else DevChain(options.seed, **rules)
        node = await stack.enter_async_context(DevNode(chain, port=0)) if chain else None
        base = base if chain else await near_head(base, options)
        rpc, ws = (node.url, node.ws_url) if node else (options.rpc or "", options.ws)
        with stage(base, rpc, ws, external_kafka=options.external_kafka, say=console.print) as setting:
            return await _play(setting, options, console, node, started)


async def _play(setting: Stage, options: Options, console: Console, node: DevNode | None, started: float) -> bool:
    settings = setting.settings
    await make_topics(settings)
    load_or_create_signer(settings.path(settings.security.signing_key_file))  # one key for all, made before they race for it
    children = Children(settings.state_dir / "logs", setting.environment)
    observer = Observer(settings.kafka)
    show = Show(console, children, observer.seen, started)
    show.tail = tail = asyncio.create_task(observer.run())
    try:
        for number in range(options.workers):
            children.start(f"worker-{number + 1}", "worker", "--agents", ",".join(AGENTS))
        children.start("gateway", "gateway")
        children.start(PRODUCER, PRODUCER)
        async with _live(show):
            if node is not None:
                await _rounds(show, settings, node, options)
            else:
                await _follow(show, settings, options)
        answers = await _questions(settings, node, show)
        agreed = _summary(show, answers)
        if options.keep:
            await _keep(show, settings)
        return agreed
    finally:
        tail.cancel()
        await asyncio.gather(tail, return_exceptions=True)
        await asyncio.to_thread(children.stop)


async def _rounds(show: Show, settings: Settings, node: DevNode, options: Options) -> None:
    """The development chain, in rounds that end at rest."""
    steps = list(script(options.seed, options.blocks, ReorgPlan(every=REORG_EVERY, max_depth=MAX_DEPTH)))
    size = -(-len(steps) // ROUNDS)
    for number in range(0, len(steps), size):
        playing = asyncio.create_task(run_script(node, 0, options.block_time, steps[number : number + size]))
        try:
            while not playing.done():
                await _tick(show)
            playing.result()
        finally:
            playing.cancel()
        await _rest(show, node.chain.head.hash)
        await _compare(show, settings)


async def _follow(show: Show, settings: Settings, options: Options) -> None:
    """A real node: until so many blocks were seen. It does not wait, so the producer pauses while all come to rest."""
    while show.seen.blocks < options.blocks:
        await _tick(show)
    for _ in range(ROUNDS):
        await asyncio.to_thread(show.children.end, PRODUCER)
        await _rest(show, None)
        try:
            await _compare(show, settings)
            return
        except SourceError:  # the node took the log's newest block back meanwhile: follow it, and try again
            show.children.start(PRODUCER, PRODUCER)
            await _further(show)
    raise DemoError("the chain moved in every comparison", "Try again, or follow a node with slower blocks.")


async def _further(show: Show) -> None:
    before, deadline = show.seen.sequence, time.monotonic() + DRAIN_SECONDS
    while show.seen.sequence == before and time.monotonic() < deadline:
        await _tick(show)


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


async def _tick(show: Show) -> None:
    show.check()
    show.note_reorg()
    await asyncio.sleep(0.1)


async def _rest(show: Show, head: bytes | None) -> None:
    """Waits until the log ends in ``head`` (if given) and every stream agent has caught up."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        await _tick(show)
        seen = show.seen
        if seen.head is not None and head in (None, seen.head.hash) and show.lag() == 0:
            await asyncio.sleep(0.5)  # roots of the same transaction are on their way
            if show.lag() == 0 and head in (None, seen.head.hash):
                return
        if time.monotonic() > deadline:
            behind = ", ".join(f"{agent} {seen.lag(agent)}" for agent in AGENTS)
            raise DemoError(
                f"the pipeline did not come to rest within {DRAIN_SECONDS:.0f} s (log at {seen.head}; steps behind: {behind})",
                f"Logs of all processes: {show.children.logs}",
            )


async def _compare(show: Show, settings: Settings) -> None:
    head = show.seen.head
    assert head is not None
    source = RpcSource(settings.chain.rpc_url, None, level="header")
    store = open_memory_store(settings)
    try:
        verdict = await compare(source, settings, head, dict(show.seen.roots), store)
    finally:
        await source.close()
        await store.close()
    show.verdicts.append(verdict)
    show.agreements.append(str(verdict))


async def _questions(settings: Settings, node: DevNode | None, show: Show) -> list[Asked]:
    url = f"http://{settings.gateway.host}:{settings.gateway.port}"
    wanted: Sequence[tuple[bytes, str, bytes | None]]
    if node is not None:
        chosen = sample_questions(node.chain, per_agent=1)[:QUESTIONS]
        wanted = [(q.agent, q.text, q.memory_id) for q in chosen]
    else:
        wanted = [(agent, "what was sent?", None) for agent in sorted(show.seen.roots)[:QUESTIONS]]

    def trusted(agent: bytes) -> bytes:
        root = show.seen.roots.get(agent)
        return root["merkle_root"] if root else b""

    with Client(url, token=token_for(settings, url)) as client:
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


async def _keep(show: Show, settings: Settings) -> None:
    agent = "0x" + next(iter(sorted(show.seen.roots)), bytes(20)).hex()
    show.console.print(f"\nrunning until Ctrl-C: gateway on port {settings.gateway.port}; logs in {show.children.logs}")
    if not show.children.runs(PRODUCER):
        show.children.start(PRODUCER, PRODUCER)
    here = f"monmouth --state-dir {settings.state_dir}"  # where the token lies
    question = f"  {here} query --url http://127.0.0.1:{settings.gateway.port} {agent} 'what did I swap?'"
    show.console.print(question, soft_wrap=True)  # one line, to be copied
    while True:
        await _tick(show)


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
