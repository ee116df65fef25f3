"""Commands about sessions, carried out by the stream agent's own fold: what is answered is what the log leads to."""

from __future__ import annotations

from typing import Any

import httpx

from schemas.records import MemoryCommand
from streams.agents.memory_facts import command_facts
from streams.agents.sessions import Sessions
from streams.serving.commands import Acknowledged
from streams.signing import Signer
from tests.fakes import MemoryState
from tests.unit.serving.world import ALICE, World

SIGNER = Signer(b"w" * 32)


class Folding:
    """A CommandLog whose commands the session fold carries out at once, into the world's stores and table."""

    def __init__(self, world: World) -> None:
        self.world, self.sessions, self.count = world, Sessions(MemoryState(), SIGNER), 0

    async def send(self, command: MemoryCommand) -> Acknowledged:
        stored = [] if command["op"].startswith("SESSION_") else command_facts(command["agent"], command)
        facts = self.sessions.facts(command, stored) if self.sessions.concern(command) else stored
        await self.world.remember(*facts)
        for emit in self.sessions.touched():
            rows = self.world.sessions.rows.setdefault(emit.key[:20], {})
            if emit.value is None:
                rows.pop(emit.key[20:], None)
            else:
                rows[emit.key[20:]] = emit.value  # type: ignore[assignment]
        self.count += 1
        return Acknowledged(0, self.count)


async def opened(http: httpx.AsyncClient, agent: bytes = ALICE, **terms: Any) -> str:
    """The id of a session of ``agent`` that is open now."""
    answer = await http.post(f"/v1/agents/0x{agent.hex()}/sessions", json=terms)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
