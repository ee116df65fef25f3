"""A failure that goes on, in the log."""

from __future__ import annotations

import logging

import pytest

from streams.outage import REMIND_SECONDS, Outage


def test_it_is_said_when_it_begins_changes_lasts_and_is_over(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    outage = Outage(logging.getLogger("here"), "topic", clock=lambda: now[0])
    outage.over()
    for _ in range(50):
        outage.failed("away")
        now[0] += 1
    outage.failed("no topic")
    now[0] += REMIND_SECONDS
    outage.failed("no topic")
    outage.failed("no topic")
    outage.over()
    outage.over()
    outage.failed("away")
    assert [record.getMessage() for record in caplog.records] == [
        "topic: away; trying until it works",
        "topic: no topic; trying until it works",
        "topic: no topic; trying until it works, for 350 s now",
        "topic: works again, after 350 s",
        "topic: away; trying until it works",
    ]
