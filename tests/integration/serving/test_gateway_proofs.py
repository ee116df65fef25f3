"""Proofs by a whole gateway, checked by its clients and its command line."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from connectors.chain.memory_root import set_root_call
from streams.cli.memory import memory
from streams.cli.proof import proof
from streams.cli.proof_anchored import anchor as proof_anchor
from streams.cli.query import query, root
from streams.serving.client import AsyncClient, Client
from streams.serving.client_errors import GatewayError
from streams.serving.server import Gateway
from streams.serving.verify import ProofRefusedError, verify_proof
from streams.settings import Settings
from streams.signing import Verifier
from tests.final_logs import published, roots_of
from tests.identity import operator_token
from tests.integration.serving.broker import SIGNER
from tests.integration.serving.live import AGENT, FIRST, GENESIS, Live
from tests.steps import step_new
from tests.unit.serving.world import ALICE, upsert

pytestmark = pytest.mark.kafka


async def test_client_refuses_proofs_that_show_something_else(live: Live) -> None:
    facts = [upsert(ALICE, FIRST, i, f"memory {i}") for i in range(3)]
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    await live.remember(*facts)
    await live.publish(facts, step_new(1, FIRST))
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        one, two = [await client.get(ALICE, fact["memory_id"]) for fact in facts[:2]]
        answer = await client.proof(ALICE, facts[0]["memory_id"])
        with pytest.raises(ProofRefusedError, match="not the one published or trusted"):
            await client.proof(ALICE, facts[0]["memory_id"], root="0x" + "00" * 32)
        context = await client.query_context(ALICE, "memory", min_similarity=-1, proofs=True, root=answer.root.merkle_root)
        assert len(context.items) == len(facts)
        with pytest.raises(ProofRefusedError, match="trusted"):
            await client.query_context(ALICE, "memory", min_similarity=-1, proofs=True, root="0x" + "00" * 32)
    verify_proof(answer, one)
    siblings = [("00" if s[:2] != "00" else "11") + s[2:] for s in answer.proof["siblings"]]
    for wrong, about, message in (
        (answer, two, "is not about memory"),
        (answer, one.model_copy(update={"text": "never happened"}), "is not about memory"),
        (answer, one.model_copy(update={"importance": 0.9}), "is not about memory"),
        (answer.model_copy(update={"opening": "0x" + "00" * 32}), one, "is not about memory"),
        (answer.model_copy(update={"present": False}), None, "shows the opposite"),
        (
            answer.model_copy(update={"root": answer.root.model_copy(update={"merkle_root": "0x" + "00" * 32})}),
            None,
            "not the one",
        ),
        (answer.model_copy(update={"proof": {**answer.proof, "siblings": siblings}}), None, "does not hold"),
        (answer.model_copy(update={"proof": {}}), None, "holds no proof"),
    ):
        with pytest.raises(ProofRefusedError, match=message):
            verify_proof(wrong, about)


async def test_logs_of_final_states_are_proved_also_by_a_gateway_started_later(live: Live) -> None:
    records = published(1, 7)
    roots = roots_of(records)
    await live.writer.entries(records[:4])
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        known = await client.log(1)
        assert (known.size, known.root) == (4, roots[3])
        await live.writer.entries(records[4:])
        assert (await client.log_consistency(1, known.size, known.root)).root == roots[6]
    later = Gateway(live.settings, live.stores, live.embedder, Verifier([SIGNER.public]))
    await later.start()
    try:
        with Client(later.url, token=operator_token(live.settings)) as blocking:
            assert await asyncio.to_thread(blocking.logs) == await asyncio.to_thread(blocking.logs)
            grown = await asyncio.to_thread(blocking.log_consistency, 1, known.size, known.root)
            assert (grown.size, grown.root) == (7, roots[6])
            assert (await asyncio.to_thread(blocking.log_entry, 1, 2, 7, roots[6])).entry.index == 2
            with pytest.raises(GatewayError, match="never had 4 entries"):
                await asyncio.to_thread(blocking.log_consistency, 1, 4, roots[4])
        await _prove_by_command_line(live.settings, later.url, roots)
    finally:
        await later.stop()


async def _prove_by_command_line(settings: Settings, url: str, roots: list[str]) -> None:
    saved = str(settings.state_dir / "grown.json")

    async def run(*arguments: str) -> str:
        ran = await asyncio.to_thread(
            CliRunner().invoke, proof, [*arguments, "--gateway", url], obj=settings, catch_exceptions=False
        )
        assert ran.exit_code == 0, ran.output
        return ran.output

    assert f"1 7 {roots[6]}" in await run("logs")
    assert "yes: state" in await run("entry", "1", "3", "--size", "5", "--root", roots[4])
    assert "begins with" in await run("consistency", "1", "4", roots[3], "-o", saved)
    assert CliRunner().invoke(proof, ["verify", saved, "--root", roots[6]]).exit_code == 0
    assert CliRunner().invoke(proof, ["verify", saved, "--root", roots[5]]).exit_code == 1
    with pytest.raises(GatewayError, match="never had 5 entries"):
        await run("consistency", "1", "5", roots[3])


async def test_command_line(live: Live) -> None:
    facts = [upsert(ALICE, FIRST, i, text) for i, text in enumerate(["swapped eth for dai", "voted on the treasury"])]
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    await live.remember(*facts)
    await live.publish(facts, step_new(1, FIRST))
    memory_id = "0x" + facts[0]["memory_id"].hex()

    async def run(command: Any, *arguments: str) -> str:
        result = await asyncio.to_thread(
            CliRunner().invoke, command, [*arguments, "--gateway", live.gateway.url], obj=live.settings, catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return result.output

    assert "swapped eth for dai" in await run(query, AGENT, "swapped eth")
    assert json.loads(await run(query, AGENT, "swapped eth", "--json"))["items"][0]["text"] == "swapped eth for dai"
    assert "voted on the treasury" in await run(memory, "list", AGENT)
    assert "EPISODIC" in await run(memory, "get", AGENT, memory_id)
    assert json.loads(await run(root, AGENT, "--json"))["count"] == 2
    assert "the proof holds" in await run(memory, "proof", AGENT, memory_id, "-o", str(live.settings.state_dir / "proof.json"))
    anchor = await run(proof_anchor, AGENT)
    assert set_root_call(bytes.fromhex(json.loads(await run(root, AGENT, "--json"))["merkle_root"][2:])).hex() in anchor
    assert "absent" in await run(memory, "proof", AGENT, "0x" + "00" * 32)
    assert "accepted" in await run(memory, "store", AGENT, "kept", "--wait", "0")
    assert "accepted" in await run(memory, "forget", AGENT, memory_id, "--wait", "0")
    saved = str(live.settings.state_dir / "proof.json")
    checked = CliRunner().invoke(
        proof, ["verify", saved, "--root", json.loads(await run(root, AGENT, "--json"))["merkle_root"]]
    )
    assert checked.exit_code == 0, checked.output
