"""Faults, each with what the supervisor must make of it. Each takes a scene that runs, and leaves one that runs.

A fault raises AssertionError where the pipeline did not get on as it must.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaProducer

from schemas.codec import codec
from streams import topics
from streams.core.record import MARKER
from streams.core.replay import Phase
from streams.ops.recovery.decide import Action, Strategy
from streams.ports.log import TopicPartition
from streams.runtime.replays import read_replays
from streams.signing import Signer
from streams.switches import FILE, hold, read
from streams.topics import physical
from tests.chaos.recovery.scene import AGENTS, Scene

WORKER = "worker-1"


async def kill(at: Scene) -> None:
    """kill -9 of a worker: started again."""
    at.process(WORKER).kill()
    await at.outcome(Strategy.FORCED, WORKER, "healed")
    await at.grow(3)
    await at.caught_up()


async def kill_producer(at: Scene) -> None:
    """kill -9 of the block producer: started again, and goes on where the log ends."""
    at.process("producer").kill()
    await at.grow(3)
    await at.outcome(Strategy.FORCED, "producer", "healed")
    await at.caught_up()


async def hang(at: Scene) -> None:
    """SIGSTOP of a worker for good: its peer takes its partitions over, and it is started anew."""
    at.process(WORKER).send_signal(signal.SIGSTOP)
    await at.grow(3)
    await at.outcome(Strategy.FAILOVER, WORKER, "healed")
    await at.caught_up()


async def lose_state(at: Scene) -> None:
    """The local state of a stream agent is deleted under a worker that is then killed: built anew from the log."""
    await asyncio.to_thread(shutil.rmtree, at.settings.state_dir / "local" / "graph")
    for name in ("worker-1", "worker-2"):
        at.process(name).kill()
    for name in ("worker-1", "worker-2"):
        await at.outcome(Strategy.FORCED, name, "healed")
    await at.grow(3)
    await at.caught_up()


async def break_state(at: Scene) -> None:
    """The folder of the local state is a file: no start of a worker mends that, so a person is asked; then it is mended."""
    folder = at.settings.state_dir / "local" / "graph"
    for name in ("worker-1", "worker-2"):
        at.process(name).kill()
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.write_text("no folder")
    await at.outcome(Strategy.FORCED, WORKER, "failed")
    await at.outcome(Strategy.ASK, WORKER, "asked")
    await at.outcome(Strategy.ASK, "worker-2", "asked")
    assert not [outcome for outcome in at.outcomes if outcome[2] == "healed" and outcome[1] in {WORKER, "worker-2"}]
    folder.unlink()
    aside.rename(folder)
    at.supervisor.reopen()
    await at.grow(3)
    await at.caught_up()


async def poison(at: Scene) -> None:
    """A marker that nobody trusted signed, in one partition: that one is left alone, for a person; all others go on."""
    await _forge_marker(at, 1)
    await at.until(lambda: len(read(at.settings.path(FILE))) == len(AGENTS))
    await at.grow(3)
    await _others_go_on(at)
    await at.until(lambda: any(outcome[0] == Strategy.ISOLATE and outcome[2] == "healed" for outcome in at.outcomes))
    held = read(at.settings.path(FILE))
    assert set(held) == {hold(agent, 1) for agent in AGENTS}
    assert all(switch.seconds is None for switch in held.values())
    assert {outcome[0] for outcome in at.outcomes} == {Strategy.ISOLATE}  # nothing was started again blindly


async def _others_go_on(at: Scene) -> None:
    """Partition 0 of every stream agent reaches the head."""
    async with asyncio.timeout(90):
        while True:
            found = await at.heights()
            if all(height == at.node.head.number for (_, number), height in found.items() if number == 0):
                break
            await asyncio.sleep(0.3)
    assert any(height < at.node.head.number for (_, number), height in found.items() if number == 1)


async def doubt(at: Scene) -> None:
    """A partition's state is in doubt: its blocks are taken back and done again. Said so by hand: a defect brings it about."""
    await at.grow(6)
    await at.caught_up()
    at.supervisor.begin(Action(Strategy.ROLLBACK, WORKER, "graph/0", "in doubt"))
    await at.outcome(Strategy.ROLLBACK, "graph/0", "healed")
    await at.grow(3)
    await at.caught_up()
    reader = at.pipeline.client.reader()
    request, status = await read_replays(reader, "graph", 0)
    await reader.close()
    assert request is not None
    assert status is not None
    assert (status.id, status.phase) == (request.id, Phase.DONE)
    assert status.undone > 5


async def _forge_marker(at: Scene, partition: int) -> None:
    """Writes the newest marker of a partition again, signed by somebody else."""
    reader = at.pipeline.client.reader()
    target = TopicPartition(topics.TRANSACTIONS, partition)
    first, stop = (await reader.bounds([target]))[target]
    newest = None
    async for messages in reader.read_range(target, first, stop):
        for message in messages:
            if message.value is not None and codec().decode(message.value)[0] == MARKER:
                newest = codec().decode(message.value)[1]
    await reader.close()
    assert newest is not None
    forged = codec().encode(MARKER, Signer(b"x" * 32).sign(MARKER, {**newest, "sequence": newest["sequence"] + 1}))
    await _send(at, topics.TRANSACTIONS, partition, None, forged)


async def _send(at: Scene, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=at.settings.kafka.bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(physical(at.settings.kafka.prefix, topic), value, key, partition=partition)
    finally:
        await producer.stop()


FAULTS: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "kill": kill,
    "kill-producer": kill_producer,
    "hang": hang,
    "lose-state": lose_state,
    "break-state": break_state,
    "poison": poison,
    "doubt": doubt,
}
