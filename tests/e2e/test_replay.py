"""Stream agents do old work again while the pipeline runs, and everything is what the oracle demands, to the bit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from connectors.chain.devchain.steps import Step, StepKind
from streams import topics
from streams.cli.replay import run
from streams.settings import Settings
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.replay import Start
from tests.e2e.pipeline import ALL, Small, small
from tests.e2e.readback import marked, table

pytestmark = pytest.mark.kafka


async def roots(settings: Settings) -> dict[bytes, Any]:
    """By agent: everything published of its memories."""
    return await table(settings.kafka, topics.ROOTS, "LatticeRoot")


def reorganise(pipeline: Small, depth: int) -> None:
    for _ in pipeline.node.apply(Step(StepKind.REORG, depth)):
        pass


async def test_every_stream_agent_does_its_work_again_while_the_chain_goes_on(
    kafka_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = kafka_settings
    async with small(settings, blocks=6) as pipeline:
        reorganise(pipeline, 2)
        await pipeline.agree()
        before, log = await roots(settings), open_pipeline(settings)
        for agent in ALL:
            await asyncio.wait_for(run(log, agent, Start(block=3), range(2), as_json=True), 60)
            last = json.loads(capsys.readouterr().out.splitlines()[-1])
            assert [part["phase"] for part in last["partitions"]] == ["DONE", "DONE"], agent
        await pipeline.agree()
        assert await roots(settings) == before
        reorganise(pipeline, 3)  # and what comes after stands on it
        pipeline.advance(2)
        await pipeline.agree()
        partitions = await marked(settings, topics.MEMORY_LOG)
        assert all(len(part.undone) >= 2 for part in partitions.values())
