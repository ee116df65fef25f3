"""Answers questions that come in the topic, as this gateway answers them over HTTP.

Invariants: who may ask what is decided by the gate, on the path of the same call; a question is taken up once, and never past
its deadline or when it claims to be from another time; whatever keeps an answer from being given is said in an answer, but for
a message that nobody who is known has signed, to which nothing is said, and for what comes while ``WAITING`` are looked at.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from prometheus_client import Counter
from starlette.types import ASGIApp

from schemas.codec import SchemaError, codec
from schemas.records import Message
from streams.metrics import REGISTRY
from streams.serving.access import AccessTable
from streams.serving.client_errors import GatewayError
from streams.serving.faults import RateLimitedError, Refusal, TooLargeError
from streams.serving.gate import INSIDE, OPERATOR, Principal
from streams.serving.limits import body_of
from streams.serving.messages.envelope import (
    ANSWER_LIMIT,
    CLIENT,
    GATEWAY,
    QUESTION_LIMIT,
    VERSION,
    by_agent,
    by_writer,
    new_id,
    sealed,
    signed,
)
from streams.serving.messages.queries import call_of, type_of
from streams.serving.transport import HEADERS, InProcess
from streams.signing import Signer, Verifier

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds an answer may take where the request names no deadline."""
LONGEST = 60.0
SKEW = 60
IN_FLIGHT = 32
WAITING = 8 * IN_FLIGHT
"""Messages that are looked at at once, signed or not."""
SEEN = 10_000
LEAVE = 10
"""Percent of the ids remembered that are forgotten at once when there are too many."""
QUESTIONS = frozenset({"STATE_SYNC", "CONTEXT_REQUEST"})
READ = Counter(
    "monmouth_cross_exex_messages_total",
    "Messages read from exex.messages, requests and answers, by kind of writer, kind of target, and type.",
    ["from", "to", "type"],
    registry=REGISTRY,
)
TAKEN = Counter("monmouth_messages_total", "Requests in exex.messages, by what became of them.", ["outcome"], registry=REGISTRY)

EVERYBODY, OTHER = "everybody", "other"

Send = Callable[[str, bytes], Awaitable[None]]
"""Writes a message to a target."""


def _kind(name: str | None) -> str:
    """Anybody may be called anything, and a label has few values."""
    if name is None:
        return EVERYBODY
    return GATEWAY if name == GATEWAY else CLIENT if name.startswith(f"{CLIENT}-") else OTHER


class MessageDesk:
    """One gateway's. ``app`` answers, its gate in front; ``clock``: unix seconds."""

    def __init__(  # noqa: PLR0917  (parts of the gateway)
        self,
        app: Callable[[], ASGIApp],
        access: AccessTable,
        trusted: Verifier,
        signer: Signer,
        send: Send,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._access = access
        self._trusted = trusted
        self._signer = signer
        self._send = send
        self._clock = clock
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._running: set[asyncio.Task[None]] = set()

    def take(self, value: bytes | None) -> None:
        """A record of the topic; answers in the background. Raises SchemaError for what is no message."""
        if value is None:
            return
        name, message = codec().decode(value)
        if name != "Message":
            raise SchemaError(f"a {name} is no message")
        READ.labels(_kind(message["source"]), _kind(message["target"]), message["type"]).inc()
        if len(value) > QUESTION_LIMIT + 4_096:
            return
        if message["type"] not in QUESTIONS or message["answers"] is not None or message["target"] not in {None, GATEWAY}:
            return
        if len(self._running) >= WAITING:
            TAKEN.labels("too_many").inc()
            return
        task = asyncio.create_task(self._answer(message, value), name="message")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Ends what is under way."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _answer(self, message: Message, raw: bytes) -> None:
        try:
            await self._answered(message, raw)
        except Exception:  # a defect, or the broker: the deadline tells whoever asked
            TAKEN.labels("failed").inc()
            log.exception("message %s", message["id"].hex())

    async def _answered(self, message: Message, raw: bytes) -> None:
        seconds = self._left(message)
        if seconds is None or message["version"] != VERSION or not self._first(message["id"]):
            TAKEN.labels("passed_over").inc()
            return
        principal = await self._principal(message, raw)
        if principal is None:
            TAKEN.labels("unsigned").inc()
            return
        query = ""
        try:
            if len(self._running) > IN_FLIGHT:
                raise RateLimitedError(f"{IN_FLIGHT} questions are being answered", "Ask again in a moment.")
            query, status, body = await self._asked(message, principal, seconds)
        except Refusal as error:
            status, body = error.status, body_of(error.error, error.message, error.hint)
        except GatewayError as error:  # not within the time
            status, body = 504, body_of("not_visible_yet", error.message, error.hint)
        await self._reply(message, query, status, body)

    def _left(self, message: Message) -> float | None:
        """Seconds until nobody waits any more; None if that is so now, or the message is from another time."""
        now = self._clock()
        if abs(now - message["timestamp"]) > SKEW:
            return None
        left = PATIENCE if message["deadline"] is None else message["deadline"] / 1000 - now
        return min(left, LONGEST) if left > 0 else None

    def _first(self, name: bytes) -> bool:
        if name in self._seen:
            return False
        self._seen[name] = None
        if len(self._seen) > SEEN:
            for _ in range(SEEN * LEAVE // 100):
                self._seen.popitem(last=False)
        return True

    async def _principal(self, message: Message, raw: bytes) -> Principal | None:
        agent = message["agent"]
        if agent is None:
            return OPERATOR if by_writer(self._trusted, message, raw) else None
        key = (await self._access.held(agent))["public_key"]
        return Principal(agent) if key is not None and by_agent(key, message, raw) else None

    async def _asked(self, message: Message, principal: Principal, seconds: float) -> tuple[str, int, Any]:
        if len(message["payload"]) > QUESTION_LIMIT:
            raise TooLargeError(f"a question has at most {QUESTION_LIMIT} bytes")
        query, call = call_of(message["payload"])
        reply = await InProcess(self._app(), {INSIDE: principal})(call, HEADERS, seconds)
        if len(reply.body) > ANSWER_LIMIT:
            raise TooLargeError(f"the answer has more than {ANSWER_LIMIT} bytes", "Ask with a smaller limit, or over HTTP.")
        return query, reply.status, orjson.loads(reply.body)

    async def _reply(self, request: Message, query: str, status: int, body: Any) -> None:
        try:
            answer = sealed(orjson.dumps({"query": query, "status": status, "body": body}), request)
        except ValueError:
            TAKEN.labels("unsealable").inc()
            return
        message: Message = {
            "id": new_id(),
            "type": type_of(query, answer=True) if query else request["type"],
            "source": GATEWAY,
            "target": request["source"],
            "timestamp": int(self._clock()),
            "version": VERSION,
            "answers": request["id"],
            "deadline": None,
            "agent": None,
            "reply_key": None,
            "payload": answer,
            "signature": None,
        }
        await self._send(request["source"], codec().encode("Message", {**signed(message, self._signer)}))
        TAKEN.labels("answered" if status < 400 else "refused").inc()
