"""The dashboard over a WebSocket: who may look, what is pushed, who is let go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streams.serving.app import create_app
from streams.serving.faults import RateLimitedError, UnavailableError
from streams.serving.gate import Gate
from streams.serving.ops import live as module
from streams.serving.ops.live import MOST, WAITING, Viewer
from streams.serving.routers import dashboard as router
from tests.identity import OPERATOR_TOKEN, member
from tests.unit.serving.ops.said import NOW, alert, health
from tests.unit.serving.served import served
from tests.unit.serving.world import World

HELLO = json.dumps({"token": OPERATOR_TOKEN})


@asynccontextmanager
async def gateway(world: World) -> AsyncIterator[str]:
    """Where the WebSocket is."""
    running = asyncio.create_task(world.live.run())
    try:
        async with served(create_app(world.services)) as url:
            yield url.replace("http", "ws") + "/ws/dashboard"
            world.live.stop()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def heard(socket: ClientConnection) -> dict[str, Any]:
    return orjson.loads(await asyncio.wait_for(socket.recv(), 5))


async def closed(socket: ClientConnection) -> tuple[int, dict[str, Any] | None]:
    """The code of the end, and the last thing said."""
    said = None
    try:
        while True:
            said = await heard(socket)
    except ConnectionClosed as end:
        assert end.rcvd is not None
        return end.rcvd.code, said


async def test_a_snapshot_and_then_what_changes(world: World) -> None:
    async with gateway(world) as url, connect(url) as socket:
        await socket.send(HELLO)
        first = await heard(socket)
        assert (first["type"], first["state"]["health"]["status"]) == ("snapshot", None)
        world.board.take_health(health("worker", NOW), NOW)
        world.board.advance(NOW)
        told: dict[str, Any] = {}
        numbers = [first["number"]]
        while "health" not in told or "series" not in told:
            frame = await heard(socket)
            numbers.append(frame["number"])
            assert frame["type"] == "delta"
            assert "alerts" not in frame["sections"], "nothing changed there"
            told |= frame["sections"]
            told |= {"series": frame["series"]} if "series" in frame else {}
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert told["health"]["status"] == "healthy"
        assert {"name", "start", "step", "values", "latest", "trend"} <= told["series"][0].keys()
        world.board.take_alert(b"k", alert("Slow", NOW))
        frame = await heard(socket)
        assert [one["rule"] for one in frame["sections"]["alerts"]["firing"]] == ["Slow"]


async def test_where_nothing_changes_a_frame_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)
    async with gateway(world) as url, connect(url) as socket:
        await socket.send(HELLO)
        first = await heard(socket)
        assert (await heard(socket)) == {"type": "delta", "number": first["number"] + 1, "at_ms": 0, "sections": {}}


async def test_a_viewer_that_joins_later_knows_the_same(world: World) -> None:
    async with gateway(world) as url, connect(url) as early, connect(url) as late:
        await early.send(HELLO)
        state = (await heard(early))["state"]
        for number in range(5):
            world.board.take_alert(b"%d" % number, alert("Slow", NOW, agent=str(number)))
            world.board.take_health(health("worker", NOW + number), NOW + number)
            await asyncio.sleep(0.03)
        await late.send(HELLO)
        snapshot = await heard(late)
        reached = -1
        while reached < snapshot["number"]:
            frame = await heard(early)
            reached = frame["number"]
            state |= frame["sections"]
        assert {name: state[name] for name in ("alerts", "components", "health")} == {
            name: snapshot["state"][name] for name in ("alerts", "components", "health")
        }


REFUSED = {
    "{}": 4401,
    '{"token": null}': 4401,
    '{"token": "wrong wrong wrong wrong wrong wrong"}': 4401,
    '["token"]': 4401,
    '{"token": 7}': 4400,
    "no json": 4400,
    '{"token": "' + "x" * 5_000 + '"}': 4400,
}


async def test_who_does_not_show_the_operators_token_sees_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agents = json.dumps({"token": world.token_of(member(1))})
    async with gateway(world) as url:
        for said, code in {**REFUSED, agents: 4403}.items():
            async with connect(url) as socket:
                await socket.send(said)
                end, body = await closed(socket)
                assert end == code, said
                assert body is not None
                assert body.keys() == {"type", "error", "message", "hint"}
                assert body["type"] == "refused"
        monkeypatch.setattr(router, "HELLO_SECONDS", 0.05)
        async with connect(url) as socket:
            assert (await closed(socket))[0] == 4401
        assert world.live.viewers == 0


async def test_without_authentication_no_token_is_asked_for(world: World) -> None:
    world.services = replace(world.services, gate=Gate(None))
    async with gateway(world) as url, connect(url) as socket:
        await socket.send('{"token": null}')
        assert (await heard(socket))["type"] == "snapshot"


async def test_pages_of_other_origins_and_other_host_names_are_refused_before_they_say_anything(world: World) -> None:
    async with gateway(world) as url:
        own = "http" + url[2:].removesuffix("/ws/dashboard")
        for origin in ("http://evil.example", "http://127.0.0.1:1", "null", "http://localhost"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, origin=origin)  # type: ignore[arg-type]
            assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus):
            await connect(url, additional_headers={"host": "evil.example"})
        async with connect(url, origin=own) as socket:  # type: ignore[arg-type]
            await socket.send(HELLO)
            assert (await heard(socket))["type"] == "snapshot"


async def test_the_end_of_the_gateway_is_told(world: World) -> None:
    async with gateway(world) as url, connect(url) as socket:
        await socket.send(HELLO)
        await heard(socket)
        world.live.stop()
        assert (await closed(socket))[0] == 1013
        with pytest.raises(UnavailableError):
            world.live.join()


async def test_a_slow_viewer_is_dropped_and_the_others_go_on(world: World) -> None:
    slow, quick = world.live.join(), world.live.join()
    await quick.frame()
    for number in range(WAITING + 1):
        world.board.take_alert(b"%d" % number, alert("Slow", NOW, agent=str(number)))
        world.live._delta()
        frame = await quick.frame()
        assert frame is not None
    assert (slow.ended, quick.ended, world.live.viewers) == ("slow", None, 1)
    assert slow._frames.qsize() == 1
    assert await slow.frame() is None


async def test_viewers_are_bounded(world: World) -> None:
    for _ in range(MOST):
        world.live.join()
    with pytest.raises(RateLimitedError):
        world.live.join()
    assert not world.live.crowded
    world.live._waiting = module.WAITERS
    async with gateway(world) as url:
        with pytest.raises(InvalidStatus):
            await connect(url)


async def test_frames_keep_their_distance_and_nothing_runs_for_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    moment = world.dashboard.moment

    def counted() -> Any:
        nonlocal made
        made += 1
        return moment()

    monkeypatch.setattr(world.dashboard, "moment", counted)
    monkeypatch.setattr(world.live, "_pause", 0.1)
    running = asyncio.create_task(world.live.run())
    try:
        for number in range(10):
            world.board.take_alert(b"%d" % number, alert("Slow", NOW))
            await asyncio.sleep(0.005)
        assert made == 0
        viewer = world.live.join()
        for number in range(60):
            world.board.take_alert(b"%d" % number, alert("Slow", NOW, agent=str(number)))
            await asyncio.sleep(0.005)
        frames = 0
        while not viewer._frames.empty():
            await viewer.frame()
            frames += 1
        assert 2 <= frames <= 7, "about a frame each tenth of a second, and the snapshot"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_a_viewer_holds_no_more_than_it_may() -> None:
    viewer = Viewer()
    assert all(viewer.put(b"") for _ in range(WAITING))
    assert not viewer.put(b"")
    assert viewer._frames.qsize() == 1
