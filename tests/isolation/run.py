"""Many agents with many tasks each, through the whole gateway application, over the embedded stores on disk.

Every memory holds a canary that names its owner and whether it was shared. Agent n shares the tag ``team`` with agent n + 1 and
nothing with anybody else. Each task stores, lists, reads and asks as its agent, looks at what is shared with it, and tries the
doors of others with its own token. Every body, every header and every log record is scanned; at the end so is what the caches,
the indexes and the stores hold under each agent's name, and what the metrics show.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from blake3 import blake3

from tests.identity import Member, member
from tests.isolation.asgi import Answer, Door
from tests.isolation.ground import ground
from tests.isolation.holdings import scan_holdings
from tests.unit.serving.world import World

CANARY = re.compile(r"canary-(\d+)-(own|team)-[0-9a-f]{16}")
RECENT = 16
"""Memories of its own that an agent keeps in each place: older ones it deletes, so that answers stay short."""
AT_ONCE = 200
"""Requests in flight: as many as the gateway lets run, so that what is counted was answered."""
QUESTION = {"query": "canary of the plan", "max_results": 20}


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

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.operations + other.operations,
            self.seen + other.seen,
            self.answers + other.answers,
            self.leaks + other.leaks,
        )

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
    token: str
    stored: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Share:
    """Which tasks run here, of how many places that share the work: task n where n leaves ``number``, divided by ``places``."""

    number: int = 0
    places: int = 1


@dataclass
class Place:
    """All that the tasks of one process work with. ``done``: told of each operation."""

    world: World
    door: Door
    homes: list[Household]
    findings: Findings
    done: Callable[[], None]

    async def ask(self, method: str, path: str, home: Household, body: object = None) -> Answer:
        """One request of ``home``, with what comes back scanned: its own, or what its friend shares, may be in it."""
        answer = await self.door.request(method, path, home.token, body)
        friend = self.homes[home.number - 1]
        self.findings.answers[answer.status] += 1
        self.findings.scan(answer.where, answer.text + answer.headers, home.number, friend.number)
        return answer


async def run(
    folder: Path,
    agents: int,
    tasks: int,
    operations: int,
    seed: int = 0,
    share: Share = Share(),
    done: Callable[[], None] = lambda: None,
    at_rest: Callable[[], object] = lambda: None,
) -> Findings:
    """``operations`` in all places together; those of this one. ``at_rest``: returns when no place works any more, since a
    store that another one writes to meanwhile is not of one piece; called in a thread.
    """
    findings = Findings()
    async with ground(folder) as (world, door):
        homes = [Household(n, member(n), world.token_of(member(n))) for n in range(agents)]
        place = Place(world, door, homes, findings, done)
        with _logs(findings):
            await _share(place)
            each, room = -(-operations // (agents * tasks)), asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for home in homes:
                    for task in range(share.number, tasks, share.places):
                        group.create_task(_task(place, home, each, Random(f"{seed} {home.number} {task}"), room))
            await asyncio.to_thread(at_rest)
            await scan_holdings(world, {home.who.agent: home.number for home in homes}, findings.scan)
    return findings


async def _share(place: Place) -> None:
    for home in place.homes:
        friend = place.homes[(home.number + 1) % len(place.homes)].who.name
        body = {"grantee": friend, "rights": ["read"], "namespace": "team"}
        answer = await place.ask("POST", f"/v1/agents/{home.who.name}/grants", home, body)
        assert answer.status == 202, answer.text


async def _task(place: Place, home: Household, count: int, random: Random, room: asyncio.Semaphore) -> None:
    """One task: ``count`` operations, one after the other."""
    for _ in range(count):
        async with room:
            await _operate(place, home, random)
        place.findings.operations += 1
        place.done()


async def _operate(place: Place, home: Household, random: Random) -> None:
    me, friend = f"/v1/agents/{home.who.name}", place.homes[home.number - 1]
    stranger = random.choice(place.homes)
    shared = f"{me}/shared/{random.choice([friend, friend, stranger]).who.name}"
    theirs = f"/v1/agents/{stranger.who.name}"
    match random.randrange(10):
        case 0:
            await _store(place, home, random)
        case 1:
            await place.ask("GET", f"{me}/memories", home)
        case 2:
            await place.ask("POST", f"{me}/query", home, QUESTION)
        case 3:
            await place.ask("GET", f"{me}/memories/{_one_of(home, random)}", home)
        case 4:
            await place.ask("GET", f"{shared}/memories", home)
        case 5:
            await place.ask("POST", f"{shared}/query", home, QUESTION)
        case 6:
            await place.ask("GET", f"{theirs}/memories", home)
        case 7:
            await place.ask("POST", f"{theirs}/query", home, QUESTION)
        case 8:
            await place.ask("POST", f"{me}/shared/query", home, QUESTION)
        case _:
            await place.ask("GET", f"{random.choice([theirs, me, shared])}/memories/{_one_of(stranger, random)}", home)


def _one_of(home: Household, random: Random) -> str:
    return random.choice(home.stored or ["0x" + "00" * 32])


async def _store(place: Place, home: Household, random: Random) -> None:
    kind = random.choice(["own", "team"])
    text = f"the plan {random.randrange(1_000)} {canary(home.number, kind)}"
    body = {"text": text, "tags": ["team"] if kind == "team" else []}
    mine = f"/v1/agents/{home.who.name}/memories"
    answer = await place.ask("POST", mine, home, body)
    if answer.status == 201:
        home.stored.append(answer.json()["memory_id"])
        if len(home.stored) > RECENT:
            await place.ask("DELETE", f"{mine}/{home.stored.pop(0)}", home)
