"""Writes commands of agents to memory.commands.

Invariant: ``send`` returns only after the log has acknowledged the command on all in-sync replicas; a command sent again
with the same id is a no-op downstream, so after an error it is safe to repeat. The key is the agent, the partitioner Kafka's
own (murmur2), so a command lands in its agent's partition.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import NamedTuple, Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.codec import codec
from schemas.defaults import plain_command
from schemas.records import MemoryCommand, MemoryType
from streams.agents.expiry import says_expired
from streams.cancellation import stray_cancellation_is_an_error
from streams.cluster.denials import denial
from streams.identity.commands import sign_as_gateway
from streams.serving.faults import ForbiddenError, TooLargeError, UnavailableError
from streams.serving.lazy_producer import LazyProducer
from streams.settings import KafkaSettings
from streams.signing import Signer
from streams.topics import COMMANDS, TOPICS, physical

SEND_SECONDS = 10.0


class Acknowledged(NamedTuple):
    """Where the log holds a command. Sent again, it may lie at a later place too; the earlier one counts."""

    partition: int
    offset: int


class CommandLog(Protocol):
    """Where commands go."""

    async def send(self, command: MemoryCommand) -> Acknowledged:
        """Where it lies, once it is durable. Raises UnavailableError, TooLargeError, ForbiddenError."""

    async def send_raw(self, agent: bytes, command_id: bytes, value: bytes) -> Acknowledged:
        """The same for a command in wire form, which stays as it is."""


def store_command(
    agent: bytes,
    command_id: bytes,
    content: bytes,
    *,
    media_type: str,
    kind: MemoryType,
    importance: float,
    tags: list[str],
    timestamp: int,
) -> MemoryCommand:
    """A STORE."""
    return {
        **plain_command(command_id, agent, "STORE", timestamp),
        "type": kind,
        "content": content,
        "media_type": media_type,
        "importance": importance,
        "tags": tags,
    }


def forget_command(agent: bytes, command_id: bytes, memory_id: bytes, timestamp: int) -> MemoryCommand:
    """A FORGET."""
    return {**plain_command(command_id, agent, "FORGET", timestamp), "memory_id": memory_id, "importance": 0.0}


class KafkaCommandLog:
    """A CommandLog on Kafka: one idempotent producer, connected at the first command."""

    def __init__(self, settings: KafkaSettings, signer: Signer | None = None, *, strict: bool = False) -> None:
        """``signer``: stands behind the commands that nobody else has signed. ``strict``: none that needs it is taken, but
        that a session's time is over.
        """
        self._settings = settings
        self._signer = signer
        self._strict = strict
        self._producer = LazyProducer(
            settings,
            acks="all",
            max_request_size=TOPICS[COMMANDS].max_message_bytes,
            request_timeout_ms=int(1000 * SEND_SECONDS),
        )

    async def send(self, command: MemoryCommand) -> Acknowledged:
        if command["signature"] is None and command["op"] != "REGISTER_KEY":  # which proves itself
            if self._strict and not says_expired(command):
                raise ForbiddenError(
                    "agents sign their commands themselves here", "Sign the record, and send it to POST /v1/commands."
                )
            if self._signer is not None:
                command = sign_as_gateway(self._signer, command)
        return await self.send_raw(command["agent"], command["id"], codec().encode("MemoryCommand", command))

    async def send_raw(self, agent: bytes, command_id: bytes, value: bytes) -> Acknowledged:
        topic = physical(self._settings.prefix, COMMANDS)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                with stray_cancellation_is_an_error():
                    producer = await self._producer.connected()
                    written = await producer.send_and_wait(topic, value, key=agent)
                    return Acknowledged(written.partition, written.offset)
        except MessageSizeTooLargeError:
            raise TooLargeError(
                f"the command has {len(value)} bytes; the topic takes {TOPICS[COMMANDS].max_message_bytes}"
            ) from None
        except (TimeoutError, KafkaError, OSError) as error:
            await self._producer.failed(error)
            if (denied := denial(error, "WRITE")) is not None:
                raise UnavailableError(denied.message, denied.hint) from error
            raise UnavailableError(
                f"the log did not acknowledge command {uuid.UUID(bytes=command_id)} ({type(error).__name__})",
                "It may still arrive: repeat it with the same command_id, which stores nothing twice.",
            ) from error

    async def stop(self) -> None:
        """Sends what waits and closes the connection; safe to call twice."""
        await self._producer.stop()
