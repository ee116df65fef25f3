"""A short run on real parts: a worker and the producer are killed while the chain reorganises."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.broker.errors import JarsUnavailableError
from tests.chaos.brokers import brokers
from tests.chaos.node import NODES
from tests.chaos.run import run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.mark.parametrize("fault", ["kill-worker", "kill-broker"])
async def test_nothing_is_lost_doubled_or_stale(tmp_path: Path, jars_dir: Path, fault: str) -> None:
    try:
        async with brokers(tmp_path / "kafka", jars_dir, 1) as cluster:
            outcome = await run(cluster, NODES["dev"], tmp_path / "run", fault, seed=1, seconds=10)
    except JarsUnavailableError as error:
        pytest.skip(f"no broker: {error}")
    assert outcome.stuck == ()
    assert outcome.report is not None
    assert [str(anomaly) for anomaly in outcome.report.anomalies] == []
    assert outcome.blocks > 30
    assert len(outcome.report.seconds) == len(outcome.report.recoveries) == 2
    # A killed worker takes the count of its last quarter second with it, so this is a lower bound.
    assert all(times > 0 for times in outcome.report.amplification.values())
