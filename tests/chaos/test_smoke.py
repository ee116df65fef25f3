"""A selection of the faults on real parts, on a chain that reorganises: several strike one stage in turn, to save its start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connectors.embedding.model import ModelFiles
from infra.broker.errors import JarsUnavailableError
from tests.availability import unavailable
from tests.chaos.brokers import Brokers, brokers
from tests.chaos.node import NODES
from tests.chaos.retention import run_retention
from tests.chaos.run import Outcome, run
from tests.chaos.unavailable import UnavailableError

pytestmark = [pytest.mark.kafka, pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(900)]
STRUCK = (
    "kill-worker",
    "stop-worker",
    "kill-producer",
    "kill-gateway",
    "poison",
    "kill-broker",
    "drop-node",
    "lose-checkpoints",
    "lose-state",
)
DISK = "disk-full"
APART = 1.0


@asynccontextmanager
async def one_broker(folder: Path, jars: Path) -> AsyncIterator[Brokers]:
    try:
        async with brokers(folder, jars, 1) as cluster:
            yield cluster
    except JarsUnavailableError as error:
        unavailable(f"no broker: {error}")


async def struck(cluster: Brokers, folder: Path, faults: tuple[str, ...]) -> Outcome:
    return await run(cluster, NODES["dev"], folder, "+".join(faults), seed=1, apart=APART, pause=9.0)


def demand_good(outcome: Outcome) -> None:
    assert outcome.stuck == ()
    assert outcome.crashes == ()
    assert outcome.report is not None
    assert [str(anomaly) for anomaly in outcome.report.anomalies] == []
    assert outcome.blocks > 30
    assert outcome.good


async def test_nothing_is_lost_doubled_or_stale(tmp_path: Path, jars_dir: Path, model_files: ModelFiles) -> None:
    without = None
    async with one_broker(tmp_path / "kafka", jars_dir) as cluster:
        try:
            outcome = await struck(cluster, tmp_path / "run", (*STRUCK, DISK))
        except UnavailableError as error:
            without = error
            outcome = await struck(cluster, tmp_path / "run", STRUCK)
    demand_good(outcome)
    assert outcome.report is not None
    assert len(outcome.report.recoveries) >= len(STRUCK)
    assert [str(fault) for fault in outcome.report.recoveries if fault.seconds is None] == []
    # A killed worker takes the count of its last quarter second with it, so this is a lower bound.
    assert all(times > 0 for times in outcome.report.amplification.values())
    assert outcome.answers > 10
    if without is not None:
        pytest.skip(f"all was well, but for {DISK}, which was left out: {without}")


async def test_a_gap_halts_and_its_recovery_loses_nothing(tmp_path: Path, jars_dir: Path, model_files: ModelFiles) -> None:
    async with one_broker(tmp_path / "kafka", jars_dir) as cluster:
        demand_good(
            await run_retention(cluster, NODES["dev"], tmp_path / "run", "retention", seed=1, apart=APART, target="lattice")
        )
