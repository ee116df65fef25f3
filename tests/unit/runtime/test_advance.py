"""Progress at opening partitions: what counts, and that one which fails for ever does not look like one that gets on."""

from __future__ import annotations

from pathlib import Path

from streams.runtime import metrics
from streams.runtime.advance import Advances
from tests.chainlog import ChainLog
from tests.fakelog import FakeBroker
from tests.toys import factory
from tests.unit.runtime.driving import Tally, caught_up, check_tally, publish, settings, until, worker


def counted(agent: str) -> float:
    return metrics.RESTORED.labels(agent)._value.get()


def partitions_held() -> float:
    """Of the process, in which other tests may have left some."""
    return metrics.PARTITIONS.labels("tally")._value.get()


def test_an_attempt_counts_where_it_gets_further_than_those_before() -> None:
    advances = Advances("once")
    for _ in range(5):
        advances.begin(0)
        advances.step(0, 40)
        advances.step(0, 60)
    assert counted("once") == 100
    advances.step(0, 1)
    advances.step(1, 7)
    assert counted("once") == 108


def test_what_comes_after_work_got_on_is_measured_anew() -> None:
    advances = Advances("anew")
    advances.begin(0)
    advances.step(0, 100)
    advances.settled(0)
    advances.begin(0)
    advances.step(0, 30)
    assert counted("anew") == 130


async def test_following_an_undo_is_progress(tmp_path: Path) -> None:
    broker, chain, before = FakeBroker(partitions=1), ChainLog(partitions=1), counted("tally")
    for _ in range(6):
        chain.add([1, 2])
    chain.undo(3)
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    assert counted("tally") - before >= 3 * 3, "three blocks were read back"


async def test_rebuilding_lost_state_is_progress(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for _ in range(6):
        chain.add([1, 2])
    publish(broker, chain)
    for folder in ("one", "two"):
        before, held = counted("tally"), partitions_held()
        async with worker(broker, settings(tmp_path / folder), [factory(Tally)]) as task:
            await until(lambda held=held: partitions_held() > held and caught_up(broker, "tally"), task)
        assert (counted("tally") - before >= 6 * 3) is (folder == "two")
    check_tally(broker, chain)
