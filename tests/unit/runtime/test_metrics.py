"""What an operator sees: records, blocks, commits, rewinds, watermark, lag."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import REGISTRY

from streams import topics
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker
from tests.toys import AgentFactory
from tests.unit.runtime.driving import Tally, caught_up, publish, settings, until, worker


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"monmouth_runtime_{name}", {"agent": "metered", **labels}) or 0.0


async def test_what_is_counted(tmp_path: Path) -> None:
    class Metered(Tally):
        name = "metered"
        commits = 0

        def committed(self) -> None:
            type(self).commits += 1

    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for _ in range(4):
        chain.add([1, 2])
    chain.undo(3)
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [AgentFactory(Metered, Metered, poll_records=5)]) as task:
        await until(lambda: caught_up(broker, "metered"), task)
        assert value("partitions") == 1
    assert value("partitions") == 0
    for alarm in ("integrity_stops_total", "dead_letters_total"):  # shown from the start: a first 1 is no increase
        assert REGISTRY.get_sample_value(f"monmouth_runtime_{alarm}", {"agent": "metered"}) == 0
    assert value("records_total") == 13
    assert value("blocks_total") == 4
    assert value("commits_total") == 3  # polls of five records
    assert Metered.commits == 3, "a stream agent hears of each"
    assert value("rewinds_total") == 1
    assert value("reorg_depth_blocks_sum") == 3
    assert value("rewind_seconds_count") == 1
    where = {"topic": topics.TRANSACTIONS, "partition": "0"}
    assert value("position", **where) == value("received", **where) == 13
    assert value("block_number", partition="0") == 1
