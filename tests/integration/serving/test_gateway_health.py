"""What a whole gateway says of itself: metrics, health, probes; and what stops it."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.request

import pytest

from streams.errors import ConfigurationError
from streams.serving.client import AsyncClient, Client
from streams.serving.client_errors import GatewayError
from streams.serving.server import Gateway
from streams.signing import Verifier
from tests.identity import operator_token
from tests.integration.serving.broker import SIGNER
from tests.integration.serving.live import FIRST, GENESIS, Live
from tests.steps import step_new, step_undo
from tests.unit.serving.world import ALICE

pytestmark = pytest.mark.kafka


async def healthy(client: AsyncClient) -> None:
    """Waits for it: a graph that is still being read does not stop answers, and says so."""
    async with asyncio.timeout(20):
        while (await client.health()).status != "healthy":
            await asyncio.sleep(0.2)


async def test_metrics_endpoint_moves_with_events(live: Live) -> None:
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST, final=GENESIS, transactions=3))

    def scrape() -> dict[str, float]:
        with urllib.request.urlopen(live.gateway.metrics_url, timeout=10) as response:
            lines = response.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        await client.chain()
        before = await asyncio.to_thread(scrape)
        await client.query_context(ALICE, "anything")
        await client.query_context(ALICE, "anything")
        await live.writer.steps(step_undo(2, [FIRST], GENESIS))
        await client.chain()
        await healthy(client)
    after = await asyncio.to_thread(scrape)
    assert after["monmouth_rag_queries_total"] == before["monmouth_rag_queries_total"] + 2
    assert after["monmouth_chain_reorgs_total"] == before["monmouth_chain_reorgs_total"] + 1
    assert (before["monmouth_chain_head_block"], after["monmouth_chain_head_block"]) == (1, 0)
    assert after["monmouth_uptime_seconds"] > before["monmouth_uptime_seconds"]
    assert after["monmouth_memory_usage_mb"] > 10
    assert 0 < after["monmouth_disk_usage_percent"] <= 100
    assert after["monmouth_system_health_score"] == 1
    assert after['monmouth_cache_hit_rate{cache="query_vectors"}'] == 0.5
    route = 'monmouth_http_request_latency_ms_count{method="POST",route="/v1/agents/{agent}/query",status="200"}'
    assert after[route] == before.get(route, 0) + 2


async def test_closed_store_shows_in_health_and_readiness(live: Live) -> None:
    await live.writer.steps(step_new(0, GENESIS))
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        await healthy(client)
        await live.stores.vectors.close()
        await asyncio.sleep(1.1)  # older than what the probes may remember
        health = await client.health()
    assert health.components["vector_store"].status == "failed"
    assert health.components["memory_store"].status == "healthy"
    assert health.status == "failed"


async def test_probes_beside_the_metrics_tell_a_store_that_is_gone(live: Live) -> None:
    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{live.gateway.metrics_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    async def until(path: str, status: int) -> str:
        async with asyncio.timeout(20):
            while (found := await asyncio.to_thread(get, path))[0] != status:
                await asyncio.sleep(0.1)
        return found[1]

    await live.writer.steps(step_new(0, GENESIS))
    for path in ("/livez", "/startupz", "/readyz"):
        await until(path, 200)
    await live.stores.vectors.close()
    assert "vector_store" in await until("/readyz", 503)
    await until("/startupz", 200)
    await until("/livez", 200)


async def test_forged_step_stops_every_answer(live: Live) -> None:
    await live.writer.steps(step_new(0, GENESIS))
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        await client.retrieve(ALICE)
        await live.writer.steps(step_new(5, FIRST))
        await asyncio.sleep(1.1)  # older than what the probes may remember
        with pytest.raises(GatewayError, match="where 1 was due") as refused:
            await client.retrieve(ALICE)
        assert refused.value.status == 503
        assert (await client.health()).components["chain_view"].status == "failed"


async def test_busy_ports_are_errors_with_a_hint(live: Live) -> None:
    settings = live.settings.model_copy(deep=True)
    for name, port in (("port", live.gateway.port), ("metrics_port", live.gateway.metrics_port)):
        settings.gateway.port = settings.gateway.metrics_port = 0
        setattr(settings.gateway, name, port)
        second = Gateway(settings, live.stores, live.embedder, Verifier([SIGNER.public]))
        with pytest.raises(ConfigurationError, match=f"{name.upper()} to a free one") as refused:
            await second.start()
        await second.stop()
        assert "in use" in refused.value.message


async def test_no_gateway_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}") as client, pytest.raises(GatewayError, match="no answer"):
        client.health()
    async with AsyncClient(f"http://127.0.0.1:{port}") as other:
        with pytest.raises(GatewayError, match="no answer"):
            await other.health()
    with pytest.raises(GatewayError, match="not the address"):
        Client("localhost:8080")
