"""What errors of the Kafka client are called."""

from __future__ import annotations

import socket

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from streams.cluster.words import BROKER_HINT, hint, missing, spoken
from streams.errors import MonmouthError

UNREACHED = KafkaConnectionError(f"Unable to bootstrap from {[('127.0.0.1', 1, socket.AF_INET), ('::1', 2, socket.AF_INET6)]}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UNREACHED, "no broker answers at 127.0.0.1:1, ::1:2"),
        (KafkaConnectionError("closed"), "KafkaConnectionError: closed"),
        (KafkaTimeoutError("late"), "KafkaTimeoutError: late"),
        (TimeoutError(), "no answer in time"),
        (OSError("gone"), "OSError: gone"),
        (AssertionError(), "AssertionError"),
        (MonmouthError(missing("t"), "hint"), "there is no topic t yet; `monmouth topics apply` makes it"),
    ],
)
def test_it_is_said_once_and_in_one_line(error: Exception, said: str) -> None:
    assert spoken(error) == said


def test_only_for_brokers_that_are_away_it_is_known_what_to_do() -> None:
    assert hint(UNREACHED) == BROKER_HINT
    assert not hint(KafkaTimeoutError("late"))
