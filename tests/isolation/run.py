"""Many agents with many tasks each, through the whole gateway application, over fakes of the stores.

Every memory holds a canary that names its owner and whether it was shared. Agent n shares the tag ``team`` with agent n + 1 and
nothing with anybody else. Each task stores, lists, reads and asks as its agent, looks at what is shared with it, and tries the
doors of others with its own token. Every body, every header and every log record is scanned.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import httpx
from blake3 import blake3

from streams.ports.stores import VectorRow
from tests.identity import Member, bearer, member
from tests.unit.serving.world import World, client

CANARY = re.compile(r"canary-(\d+)-(own|team)-[0-9a-f]{16}")
RECENT = 64
AT_ONCE = 200
"""Requests in flight: as many as the gateway lets run, so that what is counted was answered."""


def canary(agent: int, kind: str) -> str:
    """What only ``agent`` may see, or (``team``) those it shares with."""
    return f"canary-{agent}-{kind}-{blake3(f'{agent} {kind}'.encode()).hexdigest(8)}"


@dataclass
class Findings:
    """``leaks``: where a canary was seen that should not have been."""

    operations: int = 0
    seen: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)

    def scan(self, where: str, text: str, owner: int | None, shared_by: int | None = None) -> None:
        """``owner`` may see its own; ``shared_by``'s shared ones too; nobody (None) may see any."""
        for found in CANARY.finditer(text):
            agent, kind = int(found[1]), found[2]
            self.seen += 1
            if agent != owner and not (agent == shared_by and kind == "team"):
                self.leaks.append(f"{where}: {found[0]} seen by {owner}")


class _Scanned(logging.Handler):
    def __init__(self, findings: Findings) -> None:
        super().__init__(logging.DEBUG)
        self._findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        self._findings.scan(f"log {record.name}", f"{record.getMessage()} {record.exc_info}", None)


@contextmanager
def _logs(findings: Findings) -> Iterator[None]:
    handler, root = _Scanned(findings), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@dataclass
class Household:
    """One agent, the ids of its own newest memories, and its token."""

    number: int
    who: Member
    headers: dict[str, str]
    stored: list[str] = field(default_factory=list)


async def run(agents: int, tasks: int, operations: int, seed: int = 0) -> Findings:
    """``operations`` in all."""
    findings, world = Findings(), World()
    try:
        homes = [Household(n, member(n), bearer(world.token_of(member(n)))) for n in range(agents)]
        async with client(world) as http:
            http.headers.pop("authorization")
            with _logs(findings):
                await _share(http, homes)
                each, room = -(-operations // (agents * tasks)), asyncio.Semaphore(AT_ONCE)
                async with asyncio.TaskGroup() as group:
                    for home in homes:
                        for task in range(tasks):
                            random = Random(f"{seed} {home.number} {task}")
                            group.create_task(_task(http, world, homes, home, each, random, room, findings))
    finally:
        world.close()
    return findings


async def _share(http: httpx.AsyncClient, homes: list[Household]) -> None:
    for home in homes:
        friend = homes[(home.number + 1) % len(homes)].who.name
        body = {"grantee": friend, "rights": ["read"], "namespace": "team"}
        answer = await http.post(f"/v1/agents/{home.who.name}/grants", json=body, headers=home.headers)
        assert answer.status_code == 202, answer.text


async def _task(
    http: httpx.AsyncClient,
    world: World,
    homes: list[Household],
    home: Household,
    count: int,
    random: Random,
    room: asyncio.Semaphore,
    findings: Findings,
) -> None:
    """One task: ``count`` operations, one after the other."""
    for _ in range(count):
        async with room:
            await _operate(http, world, homes, home, random, findings)


async def _operate(
    http: httpx.AsyncClient, world: World, homes: list[Household], home: Household, random: Random, findings: Findings
) -> None:
    me, friend = f"/v1/agents/{home.who.name}", homes[home.number - 1]
    stranger = random.choice(homes)
    shared = f"{me}/shared/{random.choice([friend, friend, stranger]).who.name}"
    theirs = f"/v1/agents/{stranger.who.name}"
    question = {"query": "canary of the plan", "max_results": 20}
    match random.randrange(10):
        case 0:
            answer = await _store(http, world, home, random)
        case 1:
            answer = await http.get(f"{me}/memories", headers=home.headers)
        case 2:
            answer = await http.post(f"{me}/query", json=question, headers=home.headers)
        case 3:
            name = random.choice(home.stored or ["0x" + "00" * 32])
            answer = await http.get(f"{me}/memories/{name}", headers=home.headers)
        case 4:
            answer = await http.get(f"{shared}/memories", headers=home.headers)
        case 5:
            answer = await http.post(f"{shared}/query", json=question, headers=home.headers)
        case 6:
            answer = await http.get(f"{theirs}/memories", headers=home.headers)
        case 7:
            answer = await http.post(f"{theirs}/query", json=question, headers=home.headers)
        case 8:
            answer = await http.post(f"{me}/shared/query", json=question, headers=home.headers)
        case _:
            name = random.choice(stranger.stored or ["0x" + "00" * 32])
            path = random.choice([theirs, me, shared])
            answer = await http.get(f"{path}/memories/{name}", headers=home.headers)
    findings.operations += 1
    findings.answers[answer.status_code] += 1
    where = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
    findings.scan(where, answer.text + str(answer.headers), home.number, friend.number)


async def _store(http: httpx.AsyncClient, world: World, home: Household, random: Random) -> httpx.Response:
    kind = random.choice(["own", "team"])
    text = f"the plan {random.randrange(1_000)} {canary(home.number, kind)}"
    body = {"text": text, "tags": ["team"] if kind == "team" else []}
    answer = await http.post(f"/v1/agents/{home.who.name}/memories", json=body, headers=home.headers)
    if answer.status_code == 201:
        name = answer.json()["memory_id"]
        vector = world.embedder.embed([text])[0]
        await world.index.upsert([VectorRow(home.who.agent, bytes.fromhex(name[2:]), vector)])
        home.stored.append(name)
        if len(home.stored) > RECENT:  # as if forgotten: the fakes look at every row
            gone = bytes.fromhex(home.stored.pop(0)[2:])
            world.memories.rows.pop((home.who.agent, gone), None)
            await world.index.delete([(home.who.agent, gone)])
    return answer
