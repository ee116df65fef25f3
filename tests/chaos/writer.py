"""A client that stores and forgets memories by command, in transactions of which it aborts some on purpose, and says so.

An attempt whose result is not known is neither acknowledged nor aborted in the history; the client then begins anew under the
same transactional id, which ends what it left open.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.codec import codec
from schemas.records import MemoryCommand
from streams.core.ids import command_memory_id
from streams.identity.commands import sign_as_gateway
from streams.serving.commands import forget_command, store_command
from streams.settings import Settings
from streams.topics import COMMANDS, physical
from tests.chainlog import partition_of
from tests.chaos.naming import name
from tests.checker.events import Abort, Ack, Event, Send
from tests.identity import gateway_signer

EVERY = 0.25
ABORTED = 0.25
"""Share of transactions that are aborted on purpose."""
FORGOTTEN = 0.2


class Writer:
    """``run`` until ``stop`` is set. ``agents``: whose memories."""

    def __init__(self, settings: Settings, agents: Sequence[bytes], seed: int, say: Callable[[Event], None]) -> None:
        self._settings = settings.kafka
        self._signer = gateway_signer(settings)
        self._agents = agents
        self._random = Random(seed)
        self._say = say
        self._stored: list[tuple[bytes, bytes]] = []
        self.stop = asyncio.Event()

    async def run(self) -> None:
        while not self.stop.is_set():
            with suppress(KafkaError, OSError, TimeoutError):
                await self._write()

    async def _write(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            transactional_id=f"{self._settings.prefix}client",
            acks="all",
            request_timeout_ms=10_000,
        )
        try:
            async with asyncio.timeout(30):
                await producer.start()
            while not self.stop.is_set():
                async with asyncio.timeout(20):
                    await self._transaction(producer)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), EVERY)
        finally:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(10):
                    await producer.stop()

    async def _transaction(self, producer: AIOKafkaProducer) -> None:
        transaction, topic = uuid.uuid4().hex[:12], physical(self._settings.prefix, COMMANDS)
        await producer.begin_transaction()
        commands = [sign_as_gateway(self._signer, self._command()) for _ in range(self._random.randint(1, 3))]
        for command in commands:
            value, partition = (
                codec().encode("MemoryCommand", command),
                partition_of(command["agent"], self._settings.partitions),
            )
            sent = Send(process="client", transaction=transaction, topic=COMMANDS, partition=partition, id=name(value))
            self._say(sent)
            await (await producer.send(topic, value, command["agent"], partition=partition))
        if self._random.random() < ABORTED:
            await producer.abort_transaction()
            self._say(Abort(transaction=transaction))
            return
        await producer.commit_transaction()
        self._say(Ack(transaction=transaction))
        self._stored += [(c["agent"], command_memory_id(c["agent"], c["id"])) for c in commands if c["op"] == "STORE"]

    def _command(self) -> MemoryCommand:
        command_id = self._random.randbytes(16)
        if self._stored and self._random.random() < FORGOTTEN:
            agent, memory_id = self._stored.pop(self._random.randrange(len(self._stored)))
            return forget_command(agent, command_id, memory_id, 1_700_000_000)
        agent = self._random.choice(self._agents)
        return store_command(
            agent,
            command_id,
            f"note {command_id.hex()[:8]} to self".encode(),
            media_type="text/plain",
            kind="LONG_TERM",
            importance=0.5,
            tags=["chaos"],
            timestamp=1_700_000_000,
        )
