"""Asks the gateways of a pipeline over exex.messages.

    async with MessageClient(settings.kafka, trusted, signer) as gateways:
        state = await gateways.ask("AgentMemoryState", agent)

``signer``: a key that may write to the log, for the operator's programs; or an ``AgentKey``, for an agent that asks of itself.
Invariant: an answer counts only if a trusted key signed it and it opens with the key made for its question; the first one that
does is taken.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from schemas.codec import codec
from schemas.records import Message
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.client_errors import GatewayError, UnreachableError, UnreadableError, error_of
from streams.serving.login import AgentKey
from streams.serving.messages.desk import LONGEST, PATIENCE
from streams.serving.messages.envelope import CLIENT, GATEWAY, VERSION, by_writer, new_id, opened, signed
from streams.serving.messages.queries import type_of
from streams.serving.messages.topic import MessageWriter
from streams.serving.said import Name
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.signing import Signer, Verifier
from streams.topics import MESSAGES


@dataclass(frozen=True, slots=True)
class _Waiting:
    key: X25519PrivateKey
    answer: asyncio.Future[dict[str, Any]]


class MessageClient:
    """One asker. ``trusted``: whose answers count."""

    def __init__(self, settings: KafkaSettings, trusted: Verifier, signer: Signer | AgentKey) -> None:
        self.name = f"{CLIENT}-{secrets.token_hex(8)}"
        self._trusted = trusted
        self._signer = signer
        self._write = MessageWriter(settings)
        fold = each(settings, MESSAGES, lambda record: self._take(record.value))
        self._tail = TopicTail(settings, MESSAGES, fold, newest=True)

        self._waiting: dict[bytes, _Waiting] = {}

    async def __aenter__(self) -> Self:
        self._tail.start()
        await self._tail.barrier(LONGEST)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tail.stop()
        await self._write.stop()

    async def ask(self, query: str, agent: Name, *, seconds: float = PATIENCE, **fields: Any) -> Any:
        """The answer's body. Raises GatewayError of the type that goes with a refusal, UnreachableError after ``seconds``."""
        named = to_hex(agent) if isinstance(agent, bytes) else agent
        key, name = X25519PrivateKey.generate(), new_id()
        waiting = _Waiting(key, asyncio.get_running_loop().create_future())
        self._waiting[name] = waiting
        try:
            await self._write(GATEWAY, self._request(name, key, query, {"query": query, "agent": named, **fields}, seconds))
            async with asyncio.timeout(seconds):
                answer = await waiting.answer
        except TimeoutError:
            raise UnreachableError(
                f"no gateway answered {query} within {seconds:g} s", "Does one run with gateway.messages, and know this key?"
            ) from None
        finally:
            del self._waiting[name]
        return _body(answer)

    def _request(self, name: bytes, key: X25519PrivateKey, query: str, question: dict[str, Any], seconds: float) -> bytes:
        by = self._signer
        message: Message = {
            "id": name,
            "type": type_of(query),
            "source": self.name,
            "target": GATEWAY,
            "timestamp": int(time.time()),
            "version": VERSION,
            "answers": None,
            "deadline": int(1000 * (time.time() + seconds)),
            "agent": None if isinstance(by, Signer) else by.agent if isinstance(by.agent, bytes) else parse_agent(by.agent),
            "reply_key": key.public_key().public_bytes_raw(),
            "payload": orjson.dumps(question),
            "signature": None,
        }
        return codec().encode("Message", {**signed(message, by if isinstance(by, Signer) else by.key)})

    def _take(self, value: bytes | None) -> None:
        if value is None:
            return
        name, message = codec().decode(value)
        waiting = self._waiting.get(message["answers"]) if name == "Message" and message["answers"] else None
        if waiting is None or message["target"] != self.name or waiting.answer.done():
            return
        if not by_writer(self._trusted, message, value):
            return
        try:
            waiting.answer.set_result(orjson.loads(opened(message["payload"], waiting.key, message["answers"])))
        except ValueError as error:
            waiting.answer.set_exception(UnreadableError(str(error)))


def _body(answer: dict[str, Any]) -> Any:
    status, body = answer["status"], answer["body"]
    if 200 <= status < 300:
        return body
    if not isinstance(body, dict) or "error" not in body:
        raise GatewayError(f"a gateway refused with {status}")
    raise error_of(body["error"], body.get("message", ""), body.get("hint", ""), status)
