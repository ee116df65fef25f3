"""Memories on their way to another chain, on a real broker: a tap that knows the format alone sees what the chain says."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.chain.devchain import DevChain
from connectors.chain.devchain.steps import Step, StepKind
from schemas.codec import codec
from streams.portability.bridge import BridgeRecord, decode
from streams.settings import BridgeSettings, KafkaSettings, Settings
from streams.signing import load_or_create_signer
from streams.topics import BRIDGE, MEMORY_STATE
from streams.vault.sealing import sealed_records
from tests.e2e.pipeline import eventually, small
from tests.e2e.readback import read

pytestmark = pytest.mark.kafka

NAMES = ("memory", "bridge")


async def newest(kafka: KafkaSettings, topic: str) -> dict[bytes, Any]:
    """By key, without what was taken back."""
    rows = {entry.key: entry.value for part in (await read(kafka, topic)).values() for entry in part}
    return {key: codec().decode(value)[1] for key, value in rows.items() if key is not None and value is not None}


async def test_a_tap_sees_what_stands_after_reorgs(kafka_settings: Settings) -> None:
    settings = kafka_settings
    agents = {account.address for account in DevChain(7, agents=6, transactions=5).accounts[:3]}
    settings.bridge = BridgeSettings(agents=["0x" + agent.hex() for agent in agents])
    public = load_or_create_signer(settings.path(settings.security.signing_key_file)).public

    async def faults() -> list[str]:
        seen = {key: decode(row["payload"], [public]) for key, row in (await newest(settings.kafka, BRIDGE)).items()}
        with sealed_records(settings):
            live = await newest(settings.kafka, MEMORY_STATE)
        wanted = {key: BridgeRecord.of(memory) for key, memory in live.items() if key[:20] in agents}
        return [] if seen == wanted and len(wanted) > len(agents) else [f"{len(seen)} records, {len(wanted)} memories"]

    async with small(settings, NAMES, blocks=8) as pipeline:
        for depth in (2, 5):
            for _ in pipeline.node.apply(Step(StepKind.REORG, depth)):
                pass
            pipeline.advance()
        await pipeline.agree()
        await eventually(faults, 30)
