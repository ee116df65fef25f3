"""A broker that goes away and comes back: refusals meanwhile, nothing missed and nothing twice after."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from infra.broker import LocalBroker
from infra.broker.errors import JarsUnavailableError
from infra.topics import apply
from streams.serving.chain import ChainTail
from streams.serving.faults import UnavailableError
from streams.settings import KafkaSettings
from streams.signing import Verifier
from tests.availability import unavailable
from tests.integration.serving.broker import SIGNER, log_writer
from tests.steps import block, step_new, step_undo

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

GENESIS = block(0, 0, bytes(32))
FIRST = block(1, 0, GENESIS.hash)


async def test_view_goes_on_where_it_was(tmp_path: Path, jars_dir: Path) -> None:
    broker = LocalBroker(tmp_path / "broker", jars=jars_dir, record_startup=False)
    try:
        broker.start()
    except JarsUnavailableError as error:
        unavailable(f"no broker: {error}")
    chain = None
    try:
        kafka = KafkaSettings(bootstrap=broker.bootstrap, prefix=f"t{uuid.uuid4().hex[:8]}.", partitions=1)
        await apply(kafka)
        chain = ChainTail(kafka, Verifier([SIGNER.public]), timeout=1)
        chain.start()
        async with log_writer(kafka) as writer:
            await writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
        await chain.tail.barrier(20)
        broker.stop()
        with pytest.raises(UnavailableError):
            await chain.barrier()
        broker.start()
        async with log_writer(kafka) as writer:
            await writer.steps(step_undo(2, [FIRST], GENESIS))
        await chain.tail.barrier(30)
        assert chain.view.sequence == 2
        assert not chain.view.canonical(FIRST.hash)
    finally:
        if chain is not None:
            await chain.stop()
        broker.stop()
