"""The faults. Each strikes a running stage once, and leaves it so that it can recover; its docstring is its description.

``AIMS``: the stream agents that a fault can be aimed at, one at a time; one that is not there strikes everything at once.
``NEEDS``: what the stage must have for it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.codec import codec
from streams.identity.commands import sign_as_gateway
from streams.serving.commands import store_command
from streams.topics import CHECKPOINTS, COMMANDS, TOPICS, physical
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.replay import Start as From
from streams.upkeep.replay import Watcher, plan, request
from tests.chainlog import partition_of
from tests.chaos import faults_stores, faults_time, faults_upgrade
from tests.chaos.faults_brokers import BROKERS
from tests.chaos.faults_network import NETWORK
from tests.chaos.stage import AGENTS, Needs, Stage
from tests.checker.events import Kill, Redo, Start
from tests.identity import gateway_signer

Fault = Callable[[Stage, Random], Awaitable[None]]
RESTART_SECONDS = 1.0
REPLAY_SECONDS = 90.0


async def nothing(stage: Stage, random: Random) -> None:
    """No fault: the floor of all figures."""


async def kill_worker(stage: Stage, random: Random) -> None:
    """kill -9 of a worker; a supervisor starts it again a second later."""
    await _kill(stage, random.choice(stage.processes.named("worker")))


async def kill_producer(stage: Stage, random: Random) -> None:
    """kill -9 of the block producer; started again a second later."""
    await _kill(stage, "producer")


async def kill_gateway(stage: Stage, random: Random) -> None:
    """kill -9 of the gateway; started again a second later, it answers as if it had never been away."""
    await _kill(stage, "gateway")


async def stop_worker(stage: Stage, random: Random) -> None:
    """SIGSTOP of a worker for longer than its session or for a minute, so that another takes over; then SIGCONT."""
    await _pause(stage, random.choice(stage.processes.named("worker")), stage.still(random))


async def stop_producer(stage: Stage, random: Random) -> None:
    """SIGSTOP of the producer while another one takes over; then SIGCONT: the old one must write nothing more."""
    stage.processes.pause("producer")
    stage.processes.start("producer-2", "producer")
    await asyncio.sleep(stage.still(random))
    stage.processes.resume("producer")
    await asyncio.sleep(3)
    stage.processes.leave("producer-2")


async def kill_all(stage: Stage, random: Random) -> None:
    """kill -9 of every process at the same moment: a power cut but for the disk cache."""
    names = stage.processes.named("")
    for name in names:
        stage.processes.kill(name)
    await stage.kill_brokers()
    for name in names:
        stage.processes.restart(name)


async def rebalance_storm(stage: Stage, random: Random) -> None:
    """Workers join and leave, three of each in a few seconds, by SIGTERM and by SIGKILL."""
    stage.recorder.say(Kill(process="group", fault="rebalance"))
    for number in range(3):
        name = f"guest-{number}"
        stage.start_worker(name)
        await asyncio.sleep(2.5 + random.random())
        if random.random() < 0.5:
            stage.processes.kill(name, "leaves")
            del stage.processes.children[name]
        else:
            await asyncio.to_thread(stage.processes.leave, name)


async def poison(stage: Stage, random: Random) -> None:
    """Garbage, a foreign record, commands that may not be carried out, on memory.commands: to the dead letters, once each."""
    kafka = stage.settings.kafka
    stage.recorder.say(Kill(process=COMMANDS, fault="poison"))
    agent = random.choice(stage.node.agents)
    topic, home = physical(kafka.prefix, COMMANDS), partition_of(agent, kafka.partitions)

    signer = gateway_signer(stage.settings)

    def command(**wrong: Any) -> bytes:
        fields: dict[str, Any] = {
            "media_type": "text/plain",
            "kind": "SEMANTIC",
            "importance": 0.5,
            "tags": [],
            "timestamp": 1,
        } | wrong
        sound = store_command(agent, random.randbytes(16), b"text", **fields)
        return codec().encode("MemoryCommand", sign_as_gateway(signer, sound))

    records = [
        (agent, command(importance=7.0), home),
        (agent, command(tags=["many"] * 100), home),
        (agent, command()[:-3], home),
        *((random.randbytes(20), command(), partition) for partition in range(kafka.partitions)),
        *((None, random.randbytes(size), partition) for size in (1, 40, 10_000) for partition in range(kafka.partitions)),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        for key, value, partition in records:
            await producer.send_and_wait(topic, value, key, partition=partition)
    finally:
        await producer.stop()


async def lose_checkpoints(stage: Stage, random: Random) -> None:
    """All records of the checkpoints topic are deleted, then a worker is killed, so that its partitions open without them."""
    kafka = stage.settings.kafka
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        topic, config = physical(kafka.prefix, CHECKPOINTS), TOPICS[CHECKPOINTS].config()
        # A broker deletes records of no topic that is only compacted.
        for policy in ("compact,delete", "compact"):
            changed = config | {"cleanup.policy": policy, "retention.ms": "-1"}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=changed)])
            if policy != "compact":
                places = [TopicPartition(topic, number) for number in range(kafka.partitions)]
                await admin.delete_records({place: RecordsToDelete(before_offset=-1) for place in places})
    finally:
        await admin.close()
    await kill_worker(stage, random)


async def lose_state(stage: Stage, random: Random) -> None:
    """Every worker is killed and all local state deleted: it must come back from the log."""
    names = stage.processes.named("worker")
    for name in names:
        stage.processes.kill(name)
    for agent in stage.struck:
        await asyncio.to_thread(shutil.rmtree, stage.settings.state_dir / "local" / agent, ignore_errors=True)
    for name in names:
        stage.processes.restart(name)


async def replay(stage: Stage, random: Random) -> None:
    """Each stream agent aimed at does its blocks again, from a height drawn at random, one after another."""
    pipeline = open_pipeline(stage.settings)
    for agent in stage.struck:
        stage.recorder.say(Kill(process=agent, fault="replay"))
        stage.recorder.say(Redo(group=agent))
        numbers = range(pipeline.partitions)
        plans = await plan(pipeline, agent, From(block=random.randint(2, max(2, stage.node.head.number - 1))), numbers)
        asked = await request(pipeline, agent, {each.partition: each.first for each in plans}, None)
        async with asyncio.timeout(REPLAY_SECONDS), Watcher(pipeline, agent, asked) as watcher:
            while not all(part.reached(None) for part in await watcher.look()):
                await asyncio.sleep(0.5)


async def drop_node(stage: Stage, random: Random) -> None:
    """The node cuts every connection and does not answer for five seconds."""
    stage.recorder.say(Kill(process="node", fault="cut off"))
    await stage.network.refuse("node")
    await asyncio.sleep(5)
    await stage.network.heal("node")
    stage.recorder.say(Start(process="node"))


async def _kill(stage: Stage, name: str) -> None:
    stage.processes.kill(name)
    await asyncio.sleep(RESTART_SECONDS)
    stage.processes.restart(name)


async def _pause(stage: Stage, name: str, seconds: float) -> None:
    stage.processes.pause(name)
    await asyncio.sleep(seconds)
    stage.processes.resume(name)


FAULTS: dict[str, Fault] = {
    "none": nothing,
    "kill-worker": kill_worker,
    "stop-worker": stop_worker,
    "kill-producer": kill_producer,
    "stop-producer": stop_producer,
    "kill-gateway": kill_gateway,
    "kill-all": kill_all,
    "rebalance-storm": rebalance_storm,
    "poison": poison,
    "lose-checkpoints": lose_checkpoints,
    "lose-state": lose_state,
    "replay": replay,
    "drop-node": drop_node,
    **faults_stores.FAULTS,
    **faults_time.FAULTS,
    **faults_upgrade.FAULTS,
    **BROKERS,
    **NETWORK,
}
AIMS: dict[str, tuple[str, ...]] = {
    "kill-worker": AGENTS,
    "stop-worker": AGENTS,
    "rebalance-storm": AGENTS,
    "lose-checkpoints": AGENTS,
    "lose-state": ("memory", "embedding", "lattice", "graph"),
    "replay": AGENTS,
    **faults_stores.AIMS,
    **faults_time.AIMS,
}
NEEDS: dict[str, Needs] = {**faults_stores.NEEDS, **faults_time.NEEDS, **faults_upgrade.NEEDS}


STRIKES = 2
"""Of a fault named alone."""
MOST = {"none": 1, "upgrade": 2, "replay": 5}
"""Strikes on one stage that are worth anything: after two, all run the next version; a replay of a long chain takes long."""


def strikes_of(fault: str) -> list[str]:
    """What strikes in turn: ``A`` stands for A twice, ``A*9`` for A nine times, ``A+B`` for A and then B, once each."""
    parts = [part.partition("*") for part in fault.split("+")]
    each = str(STRIKES if len(parts) == 1 else 1)
    return [name for name, _, times in parts for _ in range(int(times or each))]


def needs_of(fault: str) -> Needs:
    """What the stage of a run must have. ``fault``: as for ``strikes_of``."""
    all_ = [NEEDS.get(name, Needs()) for name in strikes_of(fault)]
    return Needs(
        disk=max(needs.disk for needs in all_),
        clock=any(needs.clock for needs in all_),
        newer=any(needs.newer for needs in all_),
        brokers_disk=max(needs.brokers_disk for needs in all_),
    )
