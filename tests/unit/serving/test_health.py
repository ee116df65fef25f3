"""Probes must say no: each part broken in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from streams import wall
from streams.errors import MonmouthError
from streams.health import REWINDS, Look
from streams.metrics import REGISTRY
from streams.ops.reports import HealthPart, HealthReport
from streams.serving import probes
from streams.serving.ops.processes import FORGET_MS, Process
from streams.serving.server import Gateway, _told_if_broken
from tests.identity import member
from tests.unit.serving.world import World, client

PARTS = {"broker", "chain_view", "memory_store", "vector_store", "embedder", "graph_view"}


async def test_all_well(http: httpx.AsyncClient) -> None:
    assert (await http.get("/livez")).json() == {"ready": True}
    assert (await http.get("/readyz")).json() == {"ready": True}
    health = await http.get("/health")
    assert health.status_code == 200
    body = health.json()
    assert body["status"] == "healthy"
    assert body["score"] == 1.0
    assert set(body["components"]) == PARTS | {"gateway"}
    assert REGISTRY.get_sample_value("monmouth_components_healthy_total") == 7


def stick(world: World) -> None:
    world.chain.stuck = True


def lag(world: World) -> None:
    world.chain.pending = [None] * 2_000  # type: ignore[list-item]


def close_memories(world: World) -> None:
    world.memories.broken = True


def close_vectors(world: World) -> None:
    world.index.broken = True


def break_model(world: World) -> None:
    world.embedder.broken = True


def silence_model(world: World) -> None:
    world.embedder.embed = lambda texts: np.full((1, 1_024), np.nan, np.float32)  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("breakage", "failed"),
    [
        (stick, {"broker", "chain_view"}),
        (lag, {"chain_view"}),
        (close_memories, {"memory_store"}),
        (close_vectors, {"vector_store"}),
        (break_model, {"embedder"}),
        (silence_model, {"embedder"}),
    ],
)
async def test_each_broken_part_is_named(
    http: httpx.AsyncClient, world: World, breakage: Callable[[World], None], failed: set[str]
) -> None:
    breakage(world)
    ready = await http.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["error"] == "not_ready"
    assert ready.headers["retry-after"] == "1"
    assert all(name in ready.json()["message"] for name in failed)
    health = await http.get("/health")
    assert health.status_code == 503
    body = health.json()
    assert {name for name, part in body["components"].items() if part["status"] == "failed"} == failed
    roots = failed - ({"chain_view"} if "broker" in failed else set())
    assert set(body["roots"]) == roots
    assert body["components"]["gateway"]["status"] == "degraded"
    assert set(body["components"]["gateway"]["causes"]) == roots
    weights = {name: part["weight"] for name, part in body["components"].items()}
    half = {name for name, part in body["components"].items() if part["affected"]} - failed
    lost = sum(weights[name] for name in failed) + sum(weights[name] / 2 for name in half)
    assert body["score"] == pytest.approx(1 - lost / sum(weights.values()))
    assert REGISTRY.get_sample_value("monmouth_system_health_score") == pytest.approx(body["score"])
    assert all(REGISTRY.get_sample_value("monmouth_component_failed", {"component": name}) == 1 for name in roots)
    assert REGISTRY.get_sample_value("monmouth_component_failed", {"component": "gateway"}) == 0
    assert (await http.get("/livez")).status_code == 200


async def test_hanging_part_fails_within_the_probe_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.05)

    async def hang() -> str:
        await asyncio.sleep(60)
        return ""

    started = time.monotonic()
    states = await probes.Probes({"slow": hang}).components()
    assert states["slow"].status == "failed"
    assert time.monotonic() - started < 5


async def test_complaint_is_degraded_and_still_ready(http: httpx.AsyncClient, world: World) -> None:
    embed = world.embedder.embed
    world.embedder.embed = lambda texts: 2 * embed(texts)  # type: ignore[method-assign]
    body = (await http.get("/health")).json()
    assert body["status"] == "degraded"
    assert body["components"]["embedder"]["message"] == "vectors have length 2.000 instead of 1"
    assert (await http.get("/readyz")).status_code == 200
    assert REGISTRY.get_sample_value("monmouth_components_degraded_total") == 1


async def test_a_graph_without_answers_is_a_complaint_and_no_more(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.edges.failure = MonmouthError("the tail broke")
    health = (await http.get("/health")).json()
    assert (health["status"], health["components"]["graph_view"]["status"]) == ("degraded", "degraded")
    assert "the tail broke" in health["components"]["graph_view"]["message"]
    assert (await http.get("/readyz")).status_code == 200
    assert (await http.get("/v1/graph/top")).status_code == 503
    world.edges.failure, world.edges.slow = None, 5.0
    monkeypatch.setattr(probes, "GRAPH_SECONDS", 0.01)
    assert "behind the log" in await probes.graph_probe(world.edges)()


async def test_flood_of_health_requests_probes_once(http: httpx.AsyncClient, world: World) -> None:
    await asyncio.gather(*(http.get("/health") for _ in range(20)))
    assert world.embedder.calls <= 2


async def test_a_stranger_learns_how_it_is_and_nothing_else(world: World) -> None:
    close_memories(world)
    async with client(world) as http:
        http.headers = httpx.Headers()
        stranger = await http.get("/health")
    assert stranger.status_code == 503
    assert stranger.json().keys() == {"status", "score", "components", "roots", "predictions"}
    assert not any(stranger.json()[name] for name in ("components", "roots", "predictions"))


async def test_a_token_that_is_not_the_operators_shows_no_more(world: World) -> None:
    async with client(world, world.token_of(member(1))) as http:
        assert not (await http.get("/health")).json()["components"]
    async with client(world, "wrong" * 10) as http:
        assert (await http.get("/health")).status_code == 401
    async with client(world) as http:
        assert (await http.get("/health")).json()["components"]


def process(name: str, *parts: HealthPart, seen: float = 0.0, component: str = "worker") -> Process:
    report = HealthReport(component, name, 0, "healthy", 1.0, parts)
    return Process(component, name, seen_ms=int(1000 * (wall.time_of_day() - seen)), health=report)


async def test_processes_speak_for_what_they_run_until_they_fall_silent(http: httpx.AsyncClient, world: World) -> None:
    well = HealthPart("memory", "healthy", 1.0)
    world.processes.append(process("one", well))
    body = (await http.get("/health")).json()
    assert (body["status"], body["components"]["memory"]["status"]) == ("healthy", "healthy")
    world.processes[0] = process("one", well, seen=60)
    body = (await http.get("/health")).json()
    assert body["roots"] == ["memory"]
    assert body["components"]["memory"]["message"].startswith("nobody reports it; the last one fell silent ")
    assert body["components"]["gateway"]["because"] == "gateway degraded because memory failed"
    world.processes.append(process("two", well))
    assert (await http.get("/health")).json()["status"] == "healthy"


async def test_without_the_broker_nobody_reports_and_the_broker_alone_is_the_cause(
    http: httpx.AsyncClient, world: World
) -> None:
    parts = [HealthPart(name, "healthy", 1.0) for name in ("memory", "a_stream_agent_of_ones_own")]
    world.processes += [process("one", *parts, seen=60), process("two", seen=60, component="supervisor")]
    stick(world)
    body = (await http.get("/health")).json()
    assert body["roots"] == ["broker"]
    gone = {name for name, part in body["components"].items() if part["message"].startswith("nobody reports it")}
    assert gone == {"memory", "a_stream_agent_of_ones_own", "supervisor"}
    assert all(body["components"][name]["causes"] == ["broker"] for name in gone)


async def test_who_is_gone_is_missed_longer_than_the_board_remembers_it(http: httpx.AsyncClient, world: World) -> None:
    world.processes.append(process("one", HealthPart("memory", "healthy", 1.0)))
    assert (await http.get("/health")).json()["status"] == "healthy"
    world.processes.clear()
    missed = (await http.get("/health")).json()
    assert missed["roots"] == ["memory"]
    assert missed["components"]["memory"]["message"].startswith("nobody reports it; the last one fell silent ")


async def test_who_was_silent_long_before_this_gateway_began_is_not_missed(http: httpx.AsyncClient, world: World) -> None:
    world.processes.append(process("one", HealthPart("memory", "healthy", 1.0), seen=FORGET_MS / 1000 + 60))
    body = (await http.get("/health")).json()
    assert (body["status"], "memory" in body["components"]) == ("healthy", False)


async def test_a_gateway_whose_probes_broke_is_not_ready_however_well_it_was() -> None:
    async def breaks() -> None:
        raise ZeroDivisionError

    gateway = Gateway.__new__(Gateway)
    gateway._looked, gateway._tasks = Look(True), []
    assert gateway._look() == Look(True)
    gateway._tasks = [asyncio.create_task(breaks(), name=name) for name in ("probes", "dashboard", "sessions", "erasures")]
    await asyncio.wait(gateway._tasks)
    told = tuple(f"{name} broke: ZeroDivisionError" for name in ("probes", "sessions", "erasures"))
    assert gateway._look().complaints == told, "the dashboard is no reason to serve nobody"


async def test_what_breaks_in_a_gateway_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks() -> None:
        raise ZeroDivisionError

    task = asyncio.create_task(breaks(), name="dashboard")
    task.add_done_callback(_told_if_broken)
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == ["dashboard broke"]


async def test_probes_are_no_requests_of_users(http: httpx.AsyncClient, world: World) -> None:
    def counted() -> dict[str, float]:
        (family,) = (one for one in REGISTRY.collect() if one.name == "monmouth_http_request_latency_ms")
        found: dict[str, float] = {}
        for one in family.samples:
            if one.name.endswith("_count"):
                found[one.labels["route"]] = found.get(one.labels["route"], 0) + one.value
        return found

    before = counted()
    close_memories(world)
    assert {(await http.get(path)).status_code for path in ("/readyz", "/health", "/livez")} == {503, 200}
    assert counted() == before
    await http.get("/v1/chain")
    assert counted() != before


async def test_who_ends_as_it_should_is_not_missed(http: httpx.AsyncClient, world: World) -> None:
    world.processes.append(process("one", HealthPart("memory", "healthy", 1.0)))
    await http.get("/health")
    world.processes[0].ended = True
    body = (await http.get("/health")).json()
    assert body["status"] == "healthy"
    assert "memory" not in body["components"]


async def test_a_worker_that_follows_a_reorganisation_is_known_to(world: World) -> None:
    health = world.services.health
    world.processes.append(process("one", HealthPart("memory", "degraded", 0.5, f"memory/0: {REWINDS} 9 s")))
    assert health.rewinding("memory")
    assert not health.rewinding("lattice")
    world.processes[0] = process("one", HealthPart("memory", "degraded", 0.5, f"memory/0: {REWINDS} 9 s"), seen=60)
    assert not health.rewinding("memory")


async def test_the_metric_of_a_component_goes_when_the_component_does(http: httpx.AsyncClient, world: World) -> None:
    world.processes.append(process("one", HealthPart("disk", "failed", 0.0, "full")))
    await http.get("/health")
    assert REGISTRY.get_sample_value("monmouth_component_failed", {"component": "disk"}) == 1
    world.processes.clear()
    await http.get("/health")
    assert REGISTRY.get_sample_value("monmouth_component_failed", {"component": "disk"}) is None
