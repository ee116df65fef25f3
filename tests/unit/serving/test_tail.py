"""A tail that has no connection says why, to whoever asks how far behind it is."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import pytest

from streams.serving import tail as module
from streams.serving.faults import UnavailableError
from streams.serving.probes import PROBE_SECONDS
from streams.serving.tail import CONNECTION_SECONDS, TopicTail
from streams.settings import KafkaSettings


async def nothing(_records: Sequence[Any]) -> None:
    """A fold."""


async def test_brokers_that_are_away_are_named_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        tail = TopicTail(KafkaSettings(bootstrap=place), "chain.blocks", nothing)
        tail.start()
        with pytest.raises(UnavailableError, match=f"monmouth.chain.blocks: no broker answers at {place}"):
            await tail.lag()
        await tail.stop()
    assert [record.getMessage() for record in caplog.records if record.name == "streams.serving.tail"] == [
        f"monmouth.chain.blocks: no broker answers at {place}; trying until it works"
    ]


def test_the_reason_comes_before_a_probe_gives_up() -> None:
    assert CONNECTION_SECONDS < PROBE_SECONDS
