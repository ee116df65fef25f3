"""Requests are found, and work goes on, over bytes in the topic that are none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from schemas.codec import codec
from streams import topics
from streams.core.replay import Phase, Replay
from streams.ports.log import TopicPartition
from streams.runtime import metrics
from streams.runtime.job import job_of
from streams.runtime.readers import Readers
from streams.runtime.replays import all_replays, read_replays
from streams.runtime.requests import Requests
from tests.chainlog import SIGNER, VERIFIER
from tests.fakelog import FakeBroker
from tests.samples import SAMPLES
from tests.toys import Tally, factory
from tests.unit.runtime.driving import caught_up, check_tally, publish, settings, until, worker
from tests.unit.runtime.test_replay import LIMITS, ask, grown, over


async def test_bytes_that_are_no_request_keep_no_other_from_being_seen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = FakeBroker()
    made = job_of(factory(Tally), broker, settings(tmp_path), verifier=VERIFIER, signer=SIGNER, limits=LIMITS)
    requests = Requests(made, Readers(broker))
    requests._owned = (0, 1)
    broker.append(TopicPartition(topics.REPLAYS, 0), [(b"tally/0/request", b"junk")])
    ask(broker, "tally", 3, partitions=(1,))
    with caplog.at_level(logging.WARNING):
        await requests._look()
        await requests._look()
    assert (requests.take(0), requests.take(1)) == (None, "r1")
    assert len([record for record in caplog.records if "it counts as none" in record.message]) == 1, "said once"
    ask(broker, "tally", 3, "r2", partitions=(0,))
    await requests._look()
    assert requests.take(0) == "r2"


async def test_what_lies_under_other_keys_means_nothing_to_who_opens_and_who_asks(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    other = Replay("tally", 1, "r1", Phase.REQUESTED, 3)
    for number in (0, 1):
        place = TopicPartition(topics.REPLAYS, number)
        broker.append(place, [(b"junk", b"junk"), (None, b"junk"), (b"\xff/0/request", b"junk"), (b"stranger/1", b"junk")])
        broker.append(place, [(f"stranger/{1 - number}/status".encode(), b"junk")])
        assert await all_replays(broker.reader(), number) == {}
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    broker.append(TopicPartition(topics.REPLAYS, 0), [(b"tally/0/request", codec().encode("Replay", other.record()))])
    assert await read_replays(broker.reader(), "tally", 0) == (None, None)  # nor what is another partition's under one's own


def answered(broker: FakeBroker, junk: bytes) -> bool:
    """Whether the status of both partitions is no junk any more."""
    newest = [dict(broker.read(topics.REPLAYS, number))[f"tally/{number}/status".encode()] for number in (0, 1)]
    return junk not in newest


@pytest.mark.parametrize("junk", [b"junk", b"", codec().encode("Intent", SAMPLES["Intent"])])
async def test_junk_under_keys_of_ones_own_stops_nobody(tmp_path: Path, junk: bytes) -> None:
    """A replay is asked for and carried out over it; where it lies in place of the status, done once more at most."""
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    for number in (0, 1):
        for name in ("request", "status"):
            broker.append(TopicPartition(topics.REPLAYS, number), [(f"tally/{number}/{name}".encode(), junk)])
    before = metrics.GARBAGE.labels("tally", topics.REPLAYS)._value.get()
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        assert metrics.GARBAGE.labels("tally", topics.REPLAYS)._value.get() >= before + 4
        ask(broker, "tally", 3)
        await until(lambda: answered(broker, junk) and over(broker, "tally") and caught_up(broker, "tally"), task)
        broker.append(TopicPartition(topics.REPLAYS, 0), [(b"tally/0/status", junk)])
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: answered(broker, junk) and over(broker, "tally") and caught_up(broker, "tally"), task)
    check_tally(broker, chain)
