"""Things that go wrong: a record nobody can read, a worker that is killed, a store that lost a row."""

from __future__ import annotations

import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from connectors.stores import open_memory_store
from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.scenes.chain import agreed
from streams.cli.demo.system import System
from streams.cli.recover import opened_recovery
from streams.cluster.arguments import client_arguments
from streams.core.presence import everything
from streams.partitions import partition_of
from streams.runtime.letters import Letter, close, open_letters
from streams.topics import COMMANDS, physical
from streams.upkeep.candidates import facts_of, from_store
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.recover import Strategy, recover
from streams.vault.sealing import sealed_records

WAIT = 20.0
GARBAGE = b"\x00\xff this is no command"


async def dead_letter(system: System, agent: bytes) -> Metrics:
    """A record that cannot be read. Raises CheckError unless it is set aside, and what follows it is taken in."""
    before = {letter.id for letter in await _letters(system)}
    await _write(system, agent, GARBAGE)
    async with system.async_client() as client:
        receipt = await client.store(agent, "after the record that nobody could read", wait=WAIT)
    expect(receipt.visible, "what came after the unreadable record is not taken in")
    letters = [letter for letter in await _letters(system) if letter.id not in before]
    expect(len(letters) == 1, f"{len(letters)} new dead letters, one record was unreadable")
    record = letters[0].record
    expect(record["value"] == GARBAGE, "the dead letter does not hold the record")
    await _closed(system, letters)
    return {"dead letters": 1, "by": record["stream_agent"], "error": record["error"], "closed": 1}


async def _write(system: System, agent: bytes, value: bytes) -> None:
    kafka = system.settings.kafka
    producer = AIOKafkaProducer(**client_arguments(kafka))
    await producer.start()
    try:
        partition = partition_of(agent, kafka.partitions)
        await producer.send_and_wait(physical(kafka.prefix, COMMANDS), value, key=agent, partition=partition)
    finally:
        await producer.stop()


async def _letters(system: System) -> list[Letter]:
    reader = open_pipeline(system.settings).client.reader()
    try:
        return await open_letters(reader)
    finally:
        await reader.close()


async def _closed(system: System, letters: Sequence[Letter]) -> None:
    await close(open_pipeline(system.settings).client, letters)


async def killed_worker(system: System, name: str) -> Metrics:
    """A worker is killed while blocks come, another one takes its place. Raises CheckError unless all agree afterwards."""
    system.advance()
    system.children.kill(name)
    began = time.monotonic()
    system.advance(2)
    system.start_worker(name)
    await system.settle()
    return {"killed": name, "seconds until all was taken in": time.monotonic() - began, **await agreed(system)}


async def lose_row(system: System, agent: bytes) -> tuple[bytes, int]:
    """The store loses a memory of the chain behind the pipeline's back: its id, and how many facts it had."""
    with sealed_records(system.settings):
        store = open_memory_store(system.settings)
        try:
            rows = (await from_store("store", store, agent)).rows
            chosen = next(
                name for name, row in sorted(rows.items()) if row.memory is not None and row.memory["block"] is not None
            )
            lost = facts_of(agent, {chosen: rows[chosen]})
            await store.revert(lost)
            left = await store.live_ids(agent, everything)
        finally:
            await store.close()
    expect(chosen not in left, "the row could not be taken away")
    return chosen, len(lost)


async def lost_row(system: System, agent: bytes) -> Metrics:
    """The store loses a memory. Raises CheckError unless it comes back, proven by the published root."""
    _, lost = await lose_row(system, agent)
    began = time.monotonic()
    async with opened_recovery(system.settings, ()) as recovery:
        found = await recover(recovery, Strategy.FULL, agent, partition_of(agent, system.settings.kafka.partitions))
    seconds = time.monotonic() - began
    expect(found.put_in == lost, f"{found.put_in} facts came back, {lost} were lost")
    return {"facts lost": lost, "restored": found.put_in, "memories": found.memories, "recovered in seconds": seconds}
