"""The look for requests goes on over bytes in the topic that are none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from streams import topics
from streams.ports.log import TopicPartition
from streams.runtime.job import job_of
from streams.runtime.readers import Readers
from streams.runtime.requests import Requests
from tests.chainlog import SIGNER, VERIFIER
from tests.fakelog import FakeBroker
from tests.toys import Tally, factory
from tests.unit.runtime.driving import settings
from tests.unit.runtime.test_replay import LIMITS, ask


async def test_bytes_that_are_no_request_keep_no_other_from_being_seen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = FakeBroker()
    made = job_of(factory(Tally), broker, settings(tmp_path), verifier=VERIFIER, signer=SIGNER, limits=LIMITS)
    requests = Requests(made, Readers(broker))
    requests._owned = (0, 1)
    broker.append(TopicPartition(topics.REPLAYS, 0), [(b"junk", b"junk")])
    ask(broker, "tally", 3, partitions=(1,))
    with caplog.at_level(logging.WARNING):
        await requests._look()
        await requests._look()
    assert (requests.take(0), requests.take(1)) == (None, "r1")
    assert len([record for record in caplog.records if "tally/0: requests" in record.message]) == 1, "said once"
    broker.append(TopicPartition(topics.REPLAYS, 0), [(b"junk", None)])
    ask(broker, "tally", 3, "r2", partitions=(0,))
    await requests._look()
    assert requests.take(0) == "r2"
