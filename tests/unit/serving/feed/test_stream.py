"""The feed over HTTP: in order, without gap or repeat across restarts and reorgs, bounded, and nobody else's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import pytest

from schemas.codec import codec
from schemas.records import MemoryFact
from streams.core.block import Step
from streams.errors import LogIntegrityError
from streams.metrics import REGISTRY
from streams.ports.log import TopicPartition
from streams.serving.app import create_app
from streams.serving.feed import log as feed_log
from streams.serving.feed import stream
from streams.serving.feed.stream import Feeds
from streams.serving.gate import Gate
from streams.serving.limits import IN_FLIGHT
from streams.serving.wire import Change, FeedEnd
from streams.topics import MEMORY_LOG
from tests.identity import OPERATOR_TOKEN, bearer
from tests.serving_fakes import fact_of
from tests.steps import block, step_undo
from tests.unit.serving.served import served
from tests.unit.serving.test_rest import refused
from tests.unit.serving.test_waits import stored
from tests.unit.serving.world import ALICE, BOB, World, upsert

NEWER = b"\0" + (codec().newest + 1).to_bytes(4, "big") + b"rest"
A = f"/v1/agents/0x{ALICE.hex()}"
SECONDS = 10.0


@dataclass
class Event:
    id: str
    type: str
    data: dict[str, Any]


class Follower:
    """Reads a feed event by event, like a browser."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""
        self.beats = 0

    async def event(self) -> Event:
        """The next one; the connection may end instead (EOFError)."""
        name, data = "", ""
        async with asyncio.timeout(SECONDS):
            while line := await self.response.content.readline():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "id":
                    self.last_id = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif field == "" and value:
                    self.beats += 1
                elif not field and data:
                    return Event(self.last_id, name, json.loads(data))
        raise EOFError

    async def events(self, count: int) -> list[Event]:
        return [await self.event() for _ in range(count)]


@asynccontextmanager
async def following(url: str, last_id: str | None = None, path: str = A, **params: Any) -> AsyncIterator[Follower]:
    headers = bearer(OPERATOR_TOKEN) | ({"last-event-id": last_id} if last_id else {})
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{url}{path}/changes", params=params) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        follower = Follower(response)
        while not follower.last_id:
            line = await response.content.readline()
            if line.startswith(b"id: "):
                follower.last_id = line.decode()[4:].strip()
        yield follower


class Live:
    """A world whose facts go to the stores and to the log, as the memory agent's do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._fork = 0

    async def block(self, *texts: str, agent: bytes = ALICE) -> list[MemoryFact]:
        ref = self.world.grow(self._fork)
        facts = [upsert(agent, ref, index, text) for index, text in enumerate(texts)]
        await self.world.remember(*facts)
        self.world.facts.block(ref, *facts)
        return facts

    async def undo(self, depth: int) -> None:
        """Takes the newest blocks off the chain, in the stores, the view and the log."""
        self._fork += 1
        removed = list(reversed(self.world.blocks[-depth:]))
        del self.world.blocks[-depth:]
        sequence = self.world.chain.view.sequence
        assert sequence is not None
        self.world.chain.pending.append(step_undo(sequence + 1, removed, self.world.blocks[-1]))
        self.world.chain.catch_up()
        self.world.facts.undo(removed, self.world.blocks[-1])


@pytest.fixture
def live(world: World) -> Live:
    return Live(world)


def name(fact: MemoryFact) -> str:
    return "0x" + fact["memory_id"].hex()


async def test_stored_forgotten_amended_undone_final_in_order(world: World, live: Live) -> None:
    async with served(create_app(world.services)) as url, following(url) as feed:
        one, two = await live.block("swapped eth", "voted yes")
        await live.block("secret of bob", agent=BOB)
        events = await feed.events(2)
        assert [(e.type, e.data["memory_id"], e.data["memory"]["text"]) for e in events] == [
            ("memory.stored", name(one), "swapped eth"),
            ("memory.stored", name(two), "voted yes"),
        ]
        assert events[0].data["block"]["hash"] == "0x" + world.blocks[1].hash.hex()
        assert [e.id for e in events] == [e.data["cursor"] for e in events]
        gone: MemoryFact = {**two, "op": "DELETE", "cause": bytes(32), "memory": None, "block": None}
        await world.memories.apply([gone])
        world.facts.command(gone)
        event = await feed.event()
        assert (event.type, event.data["memory_id"], event.data["block"]) == ("memory.forgotten", name(two), None)
        assert one["memory"] is not None
        world.facts.command({**one, "memory": {**one["memory"], "form": "AMENDMENT"}})
        assert (await feed.event()).type == "memory.amended"
        await live.undo(2)
        events = await feed.events(3)
        assert [(e.type, e.data["memory_id"], e.data["undone"]) for e in events] == [
            ("memory.undone", name(two), "memory.stored"),
            ("memory.undone", name(one), "memory.stored"),
            ("block.undone", None, None),
        ]
        assert len(events[2].data["removed"]) == 2
        assert events[2].data["ancestor"]["hash"] == "0x" + world.blocks[0].hash.hex()
        world.facts.final(world.blocks[0], world.blocks[0])
        event = await feed.event()
        assert (event.type, event.data["block"]["number"]) == ("block.final", 0)
        Change.model_validate(event.data)
        assert "bob" not in str(events)


async def test_what_lies_in_a_session_is_not_told(world: World, live: Live) -> None:
    async with served(create_app(world.services)) as url, following(url) as feed:
        kept = fact_of(stored())
        assert kept["memory"] is not None
        held: MemoryFact = {**kept, "memory": {**kept["memory"], "source": "SESSION", "session": b"\x11" * 16}}
        await world.memories.apply([held])
        world.facts.command(held)
        gone: MemoryFact = {**held, "op": "DELETE", "cause": bytes(32), "memory": None}
        world.facts.command(gone)
        event = await feed.event()
        assert (event.type, event.data["memory_id"], event.data["memory"]) == ("memory.forgotten", name(held), None)


async def test_resuming_at_any_event_gives_exactly_the_rest_at_another_gateway_too(world: World, live: Live) -> None:
    await live.block("before anybody followed")
    async with served(create_app(world.services)) as url, following(url) as feed:
        beginning = feed.last_id
        await live.block("one", "two")
        await live.block("of bob", agent=BOB)
        await live.undo(2)
        await live.block("three")
        whole = await feed.events(2 + 3 + 1)
    assert [e.type for e in whole] == ["memory.stored"] * 2 + ["memory.undone"] * 2 + ["block.undone", "memory.stored"]
    world.feeds.stopping = False
    another = Feeds(world.facts.feed(size=4), world.reads, quiet=0.2)
    object.__setattr__(world.services, "feeds", another)
    async with served(create_app(world.services)) as url:
        for known, place in enumerate([beginning, *(e.id for e in whole)]):
            async with following(url, place) as feed:
                assert [e.id for e in await feed.events(len(whole) - known)] == [e.id for e in whole[known:]]
                if known == len(whole):
                    await live.block("four")
                    assert (await feed.event()).data["memory"]["text"] == "four"
        async with following(url, start="beginning", type=["memory.stored"]) as feed:
            texts = [(event.data["memory"] or {}).get("text") for event in await feed.events(5)]
            assert texts == ["before anybody followed", None, None, "three", "four"]
        async with following(url, whole[0].id, type=["block.undone"]) as feed:
            assert (await feed.event()).id == whole[4].id
        async with following(url, cursor=whole[4].id) as feed:
            assert (await feed.event()).id == whole[5].id
    await another.log.stop()


async def test_a_quiet_feed_moves_its_cursor_on(world: World, live: Live) -> None:
    async with served(create_app(world.services)) as url, following(url) as feed:
        start = feed.last_id
        for _ in range(5):
            await live.block("of bob", agent=BOB)
        async with asyncio.timeout(SECONDS):
            while feed.last_id == start or feed.beats < 2:
                line = (await feed.response.content.readline()).decode()
                feed.beats += line.startswith(": ")
                feed.last_id = line[4:].strip() if line.startswith("id: ") else feed.last_id
        place = feed.last_id
        async with following(url, place) as again:
            (fact,) = await live.block("mine")
            assert (await again.event()).data["memory_id"] == name(fact)


async def test_a_memory_gone_by_then_has_no_content(world: World, live: Live) -> None:
    (fact,) = await live.block("swapped eth")
    await live.undo(1)
    async with served(create_app(world.services)) as url, following(url, start="beginning") as feed:
        stored, undone, _ = await feed.events(3)
        assert (stored.data["memory_id"], stored.data["memory"], undone.type) == (name(fact), None, "memory.undone")
        assert "swapped" not in str(stored)


async def test_one_who_reads_slowly_is_told_and_loses_nothing(world: World, live: Live) -> None:
    object.__setattr__(world.services, "feeds", Feeds(world.facts.feed(size=8), world.reads, quiet=0.2))
    async with served(create_app(world.services)) as url:
        async with following(url) as feed:
            place = feed.last_id
            held = world.reads.rows
            release = asyncio.Event()

            async def slow(agent: bytes, ids: Any) -> Any:
                await release.wait()
                return await held(agent, ids)

            world.reads.rows = slow  # type: ignore[method-assign]
            facts = [fact for number in range(40) for fact in await live.block(f"fact {number}")]
            await asyncio.sleep(0.1)
            release.set()
            seen: list[str] = []
            while (event := await feed.event()).type != "overflow":
                seen.append(event.data["memory_id"])
            end = FeedEnd.model_validate(event.data)
            assert (end.error, end.cursor, "last id" in end.hint) == ("overflow", feed.last_id, True)
            with pytest.raises(EOFError):
                await feed.event()
        assert len(seen) < 40
        async with following(url, feed.last_id) as again:
            seen += [e.data["memory_id"] for e in await again.events(40 - len(seen))]
        assert seen == [name(fact) for fact in facts]
        async with following(url, place) as again:
            assert len(await again.events(40)) == 40
    await world.services.feeds.log.stop()


async def test_an_undo_far_back_is_found_in_the_log(world: World, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_log, "SPAN", 3)
    (fact,) = await live.block("swapped eth")
    for _ in range(20):
        await live.block("of bob", agent=BOB)
    async with served(create_app(world.services)) as url, following(url) as feed:
        await live.undo(21)
        undone, block_undone = await feed.events(2)
        assert (undone.type, undone.data["memory_id"], block_undone.type) == ("memory.undone", name(fact), "block.undone")
        assert len(block_undone.data["removed"]) == 21


async def test_where_the_log_was_cut_the_blocks_are_still_named(world: World, live: Live) -> None:
    await live.block("swapped eth")
    await live.block("voted yes")
    place = TopicPartition(MEMORY_LOG, world.facts.partition(ALICE))
    async with served(create_app(world.services)) as url, following(url) as feed:
        world.facts.broker.cut(place, len(world.facts.broker.logs[place]))
        await live.undo(2)
        event = await feed.event()
        assert (event.type, len(event.data["removed"])) == ("block.undone", 2)


async def test_wrong_cursors_are_refused_before_the_feed_begins(http: httpx.AsyncClient, world: World, live: Live) -> None:
    await live.block("swapped eth")
    partition = world.facts.partition(ALICE)
    place = TopicPartition(MEMORY_LOG, partition)
    refused(await http.get(f"{A}/changes", headers={"last-event-id": "nonsense"}), 400, "bad_request")
    refused(await http.get(f"{A}/changes", params={"type": "memory.dreamt"}), 422, "invalid")
    refused(await http.get(f"{A}/changes", params={"cursor": f"{1 - partition}.0.0"}), 410, "cursor_lost")
    refused(await http.get(f"{A}/changes", params={"cursor": f"{partition}.99999.0"}), 410, "cursor_lost")
    refused(await http.get("/v1/agents/0x12/changes"), 400, "bad_request")
    assert world.feeds.open == 0
    world.facts.broker.cut(place, 2)
    async with served(create_app(world.services)) as url, following(url, f"{partition}.0.0") as feed:
        assert (await feed.event()).data["error"] == "cursor_lost"


async def test_places_are_limited_and_given_back(world: World) -> None:
    object.__setattr__(world.services, "feeds", feeds := Feeds(world.facts.feed(), world.reads, per_agent=2, quiet=0.2))
    async with served(create_app(world.services)) as url, httpx.AsyncClient(headers=bearer(OPERATOR_TOKEN)) as http:
        async with following(url), following(url):
            answer = await http.get(f"{url}{A}/changes")
            refused(answer, 429, "rate_limited")
            assert answer.headers["retry-after"] == "5"
            async with following(url, path=f"/v1/agents/0x{BOB.hex()}"):
                assert feeds.open == 3
        async with asyncio.timeout(SECONDS):
            while feeds.open:
                await asyncio.sleep(0.01)
        async with following(url):
            assert REGISTRY.get_sample_value("monmouth_feeds_open") == 1
    await feeds.log.stop()


async def test_open_feeds_do_not_use_up_the_requests_in_flight(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert IN_FLIGHT < stream.OVERALL
    monkeypatch.setattr("streams.serving.limits.IN_FLIGHT", 2)
    async with (
        served(create_app(world.services)) as url,
        httpx.AsyncClient(headers=bearer(OPERATOR_TOKEN)) as http,
        following(url),
        following(url),
        following(url),
    ):
        assert (await http.get(f"{url}/v1/chain")).status_code == 200


async def test_a_feed_ends_when_its_token_does(world: World) -> None:
    async with served(create_app(world.services)) as url, following(url) as feed:
        object.__setattr__(world.services, "gate", Gate("another-token-" + "1" * 30))
        event = await feed.event()
        assert (event.type, event.data["error"]) == ("end", "unauthenticated")
        with pytest.raises(EOFError):
            await feed.event()


async def test_a_gateway_that_ends_says_so_and_does_not_wait_for_its_feeds(world: World) -> None:
    async with served(create_app(world.services), drain=60) as url, following(url) as feed:
        started = asyncio.get_running_loop().time()
        await world.feeds.stop()
        event = await feed.event()
        assert (event.type, event.data["error"], event.data["cursor"]) == ("end", "unavailable", feed.last_id)
        assert "last id" in event.data["hint"]
        async with aiohttp.ClientSession(headers=bearer(OPERATOR_TOKEN)) as session:
            assert (await session.get(f"{url}{A}/changes")).status == 503
    assert asyncio.get_running_loop().time() - started < 5


async def test_a_forged_marker_ends_every_feed_and_tells_nothing_of_it(world: World, live: Live) -> None:
    async with served(create_app(world.services)) as url, following(url) as feed:
        partition = world.facts.partition(ALICE)
        ref = block(9, 9, bytes(32))
        forged = bytearray(world.facts.marker(Step.UNDO, partition, ref, ref, removed=(ref,), ancestor=ref))
        forged[-1] ^= 1
        world.facts.raw(partition, bytes(forged))
        event = await feed.event()
        assert (event.type, event.data["error"]) == ("end", LogIntegrityError.category.value)
        assert "signature" not in str(event.data)


async def test_what_a_newer_version_wrote_is_not_passed_over(world: World, live: Live) -> None:
    async with served(create_app(world.services)) as url, following(url) as feed:
        world.facts.raw(world.facts.partition(ALICE), NEWER)
        place = feed.last_id
        event = await feed.event()
        assert (event.type, event.data["error"], "upgrade" in event.data["hint"]) == ("end", "unavailable", True)
        assert event.data["cursor"] == place


async def test_a_store_command_is_seen_on_the_feed(world: World) -> None:
    async with (
        served(create_app(world.services)) as url,
        following(url) as feed,
        httpx.AsyncClient(headers=bearer(OPERATOR_TOKEN)) as http,
    ):
        receipt = (await http.post(f"{url}{A}/memories", json={"text": "prefers ETH"})).json()
        world.facts.command(fact_of(world.commands.sent[0]))
        event = await feed.event()
        assert (event.data["memory_id"], event.data["memory"]["text"]) == (receipt["memory_id"], "prefers ETH")
