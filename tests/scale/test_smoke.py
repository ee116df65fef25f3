"""A small run on the real broker, with a worker killed: the command that proves millions is kept alive."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.broker.cluster import LocalCluster
from infra.broker.errors import JarsUnavailableError
from tests.availability import unavailable
from tests.scale import run
from tests.scale.run import Plan, Run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


async def test_every_record_is_recomputed(tmp_path: Path, jars_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "KILL_EVERY", (1.0, 2.0))
    plan = Plan(records=60_000, per_block=50, partitions=4, workers=2, seed=3)
    try:
        with LocalCluster(tmp_path / "kafka", 1, jars=jars_dir) as cluster:
            report = await Run(cluster, tmp_path, plan, print).play()
    except JarsUnavailableError as error:
        unavailable(f"no broker: {error}")
    assert report.findings == []
    assert report.good
    assert report.events == report.written >= 60_000
    assert sum(verdict.undone for verdict in report.verdicts) > 0
