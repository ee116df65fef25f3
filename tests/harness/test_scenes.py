"""Scenes that the demos play and the ten cases do not, on the environment of the harness."""

from __future__ import annotations

import pytest

from streams.cli.demo.course import CheckError
from streams.cli.demo.scenes import chain, faults, load, messages, outside, retrieval
from tests.harness import CrossExExTestHarness

pytestmark = [pytest.mark.kafka, pytest.mark.model, pytest.mark.slow, pytest.mark.asyncio(loop_scope="package")]


async def test_traffic_leaves_what_an_independent_fold_says(harness: CrossExExTestHarness) -> None:
    system = await harness.setup_test_environment()
    said = await load.traffic(system, system.chain.agents[:2], 1.5, 20)
    assert said["blocks"] >= 2
    assert said["questions"] >= 2


async def test_commands_one_by_one_and_together(harness: CrossExExTestHarness) -> None:
    system = await harness.setup_test_environment()
    assert (await load.burst(system, system.chain.agents[:3], 6))["stored"] == 12


async def test_a_node_that_goes_away(harness: CrossExExTestHarness) -> None:
    system = await harness.setup_test_environment()
    assert (await outside.retries(system))["tried again"] >= 1
    said = await outside.breaker(system)
    assert said["tries"] >= 5
    assert said["refused in ms"] < 50


async def test_a_signature_that_nobody_trusts_is_seen(harness: CrossExExTestHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    system = await harness.setup_test_environment()
    monkeypatch.setattr(messages, "by_writer", lambda *_: False)
    with pytest.raises(CheckError, match="no signature that is trusted"):
        await messages.talk(system, system.chain.agents, 2)


async def test_a_document_that_is_not_found_is_seen(harness: CrossExExTestHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    system = await harness.setup_test_environment()
    monkeypatch.setattr(retrieval, "QUESTIONS", {"nft": retrieval.QUESTIONS["bridge"]})
    monkeypatch.setattr(retrieval, "BEST", 1)
    with pytest.raises(CheckError, match="not among the first 1: nft"):
        await retrieval.find(system, system.chain.agents[4])


async def test_a_row_that_a_store_lost_is_seen(harness: CrossExExTestHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    system = await harness.setup_test_environment()
    monkeypatch.setattr(chain, "ROOTS_SECONDS", 0.0)
    await faults.lose_row(system, system.chain.agents[5])
    with pytest.raises(CheckError, match="lacks"):
        await chain.agreed(system)
