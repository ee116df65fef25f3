"""A client that asks the gateway during the whole run, and records what each answer held and of which point of the log.

Invariant: an answer is held to the newest point that the log had shown to any reader before the question, and to the one that
it claims itself if that is newer: what was undone by then must not be in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from streams.serving.client import AsyncClient
from streams.serving.client_errors import GatewayError
from streams.serving.wire import Context, MemoryList
from tests.checker.events import Answer, Event

EVERY = 0.3
PATIENCE = 15.0
QUESTIONS = ("what did it swap last?", "notes to self", "transfers of ether", "which proposals did it vote on?")


class Reader:
    """``run`` until cancelled. ``answers``: got so far; ``refusals``: questions that got none, ``reason`` of the last."""

    def __init__(
        self, url: str, token: str, agents: Sequence[bytes], seed: int, newest: Callable[[], int], say: Callable[[Event], None]
    ) -> None:
        """``newest``: sequence of the newest notification that somebody else has read from the log."""
        self.answers = 0
        self.refusals = 0
        self.reason = ""
        self._url = url
        self._token = token
        self._agents = agents
        self._random = Random(f"reader {seed}")
        self._newest = newest
        self._say = say

    async def run(self) -> None:
        async with AsyncClient(self._url, timeout=PATIENCE, token=self._token) as client:
            while True:
                with suppress(TimeoutError):
                    await self._ask(client)
                await asyncio.sleep(EVERY)

    async def _ask(self, client: AsyncClient) -> None:
        agent, before = self._random.choice(self._agents), self._newest()
        try:
            if self._random.random() < 0.5:
                found: Context | MemoryList = await client.query_context(agent, self._random.choice(QUESTIONS), 20)
            else:
                found = await client.retrieve(agent, limit=100)
        except GatewayError as error:
            self.refusals += 1
            self.reason = f"{type(error).__name__}: {error}"
            return
        self.answers += 1
        self._say(answer_of(found, before))


def answer_of(found: Context | MemoryList, before: int) -> Answer:
    """``before``: sequence that the log surely had when the question was put."""
    claimed = -1 if found.as_of.sequence is None else found.as_of.sequence
    at = max(before, claimed)
    blocks = [(item.citation.memory_id, item.citation.block) for item in found.items]
    rows = tuple((id_, block.hash.removeprefix("0x") if block else None) for id_, block in blocks)
    return Answer(process="gateway", sequence=at, until=at, rows=rows)
