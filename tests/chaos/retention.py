"""A course of its own: the log loses records that a stopped stream agent has not read yet.

It must halt and name the gap, each time it is started, and move no position; then the recovery that docs/deploy.md gives is
carried out (a new prefix and state folder, the commands copied, the chain published again) and must leave nothing wrong.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from connectors.chain.devchain.steps import script
from infra.carry import carry_commands
from streams.topics import physical
from tests.chaos.brokers import Brokers
from tests.chaos.life import BLOCK_SECONDS
from tests.chaos.node import MakeNode
from tests.chaos.residue import INPUTS
from tests.chaos.run import (
    PLAN,
    REST_SECONDS,
    WARM_SECONDS,
    Outcome,
    advance,
    beside,
    judged,
    mending,
    rest,
)
from tests.chaos.stage import Stage, playing, stage
from tests.chaos.tap import Tap
from tests.chaos.writer import Writer
from tests.checker.events import Kill

HALT_SECONDS = 60.0
BLOCKS = 32
"""Of the chain; the second half are lost."""
STOPPED = 1
"""Exit code of a command that an error of the product ends."""


async def run_retention(
    brokers: Brokers,
    make_node: MakeNode,
    folder: Path,
    fault: str,
    seed: int,
    apart: float,
    target: str | None = None,
    pause: float | None = None,
) -> Outcome:
    """Records are deleted that a stopped stream agent has not read: it must halt and name the gap; then the recovery."""
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(stage(brokers, make_node, folder, seed, target))
        faults = await _lose(old, seed)
        await asyncio.to_thread(old.processes.stop)
        if faults:
            return Outcome(fault, target, seed, old.node.head.number, None, tuple(old.processes.deaths), tuple(faults), folder)
        return await _recover(brokers, old, folder / "anew", fault, seed, target)


async def _lose(at: Stage, seed: int) -> list[str]:
    """Loses what was not read. What was not as it must be."""
    tap = Tap(at.settings.kafka, at.recorder.say)
    writer = Writer(at.settings, at.node.agents, seed, at.recorder.say)
    steps = list(script(seed, BLOCKS, PLAN))
    async with beside(tap.run()):
        await at.node.play(steps[:3], 0)
        if stuck := await rest(at, tap, WARM_SECONDS):
            return stuck
        writing = asyncio.create_task(writer.run())
        await at.node.play(steps[3 : len(steps) // 2], BLOCK_SECONDS)
        names = at.processes.named("worker")
        await asyncio.to_thread(lambda: [at.processes.halt(name) for name in names])
        await at.node.play(steps[len(steps) // 2 :], BLOCK_SECONDS)
        writer.stop.set()
        await writing
        others = [name for name in INPUTS if name not in at.struck]
        if stuck := await rest(at, tap, REST_SECONDS, others):
            return stuck
        stood = {name: dict(tap.seen.positions[name]) for name in at.struck}
        await _delete(at)
        faults = [*await _halts(at, names), *await _halts(at, names)]
        if moved := [name for name in at.struck if tap.seen.positions[name] != stood[name]]:
            faults.append(f"{', '.join(moved)} went past the gap")
        return faults


async def _delete(at: Stage) -> None:
    """All records of the marked inputs, as retention would."""
    kafka = at.settings.kafka
    topics = {physical(kafka.prefix, INPUTS[name][0]) for name in at.struck}
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        places = [TopicPartition(topic, number) for topic in topics for number in range(kafka.partitions)]
        await admin.delete_records({place: RecordsToDelete(before_offset=-1) for place in places})
    finally:
        await admin.close()
    for topic in topics:
        at.recorder.say(Kill(process=topic, fault="retention"))


async def _halts(at: Stage, names: Iterable[str]) -> list[str]:
    """Starts the workers; each must end by itself, saying what is missing. What was not so."""
    logs = {name: at.processes.logs / f"{name}.log" for name in names}
    said = {name: log.stat().st_size for name, log in logs.items()}
    for name in logs:
        at.processes.restart(name)
    codes = {name: await asyncio.to_thread(at.processes.ended, name, HALT_SECONDS) for name in logs}
    return [
        fault
        for name, code in codes.items()
        for fault in faults_of(name, code, logs[name].read_bytes()[said[name] :].decode(errors="replace"), at.struck)
    ]


def faults_of(name: str, code: int | None, said: str, agents: Iterable[str]) -> Iterator[str]:
    """What a worker did wrong that had to halt at a gap. ``code``: its exit code, None if it went on."""
    if code != STOPPED:
        yield f"{name} {'went on' if code is None else f'ended with exit code {code}'} where the log has a gap"
        return
    inputs = "|".join(re.escape(INPUTS[agent][0]) for agent in agents)
    if not re.search(rf"error: .*({inputs}).*: offsets \d+ to \d+ are (due|needed) and no longer in the log", said):
        yield f"{name} halted without naming the gap: {said[-300:]}"
    if "Traceback" in said:
        yield f"{name} halted with a traceback"


async def _recover(brokers: Brokers, old: Stage, folder: Path, fault: str, seed: int, target: str | None) -> Outcome:
    """As docs/deploy.md says, and judged as any run."""
    shutil.copytree(old.settings.state_dir / "keys", folder / "state" / "keys")
    async with playing(brokers, folder, old.node, old.network.proxies["node"], target) as at:
        await carry_commands(at.settings.kafka, old.settings.kafka.prefix)
        tap = Tap(at.settings.kafka, at.recorder.say)
        async with beside(tap.run(), mending(at)):
            await advance(at)
            stuck = await rest(at, tap, REST_SECONDS)
        return await judged(at, fault, seed, stuck, folder / "history.jsonl.gz")
