"""What the Kafka client raises, as the runtime gets to see it."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import IllegalOperation, KafkaConnectionError, OffsetOutOfRangeError, ProducerFenced, RequestTimedOutError

from streams.cluster.words import BROKER_HINT
from streams.errors import FencedError, PositionLostError
from streams.ports.log import LogError
from streams.runtime.kafka.names import translated


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (ProducerFenced(), FencedError),
        (OffsetOutOfRangeError({}), PositionLostError),
        (RequestTimedOutError(), LogError),
        (TimeoutError(), LogError),
        (AssertionError(), LogError),
        (IllegalOperation(), LogError),
        (OSError(), LogError),
    ],
)
def test_each_error_of_the_client_has_one_of_ours(raised: Exception, seen: type[Exception]) -> None:
    with pytest.raises(seen), translated("asking"):
        raise raised


def test_a_defect_of_ours_stays_what_it_is() -> None:
    with pytest.raises(KeyError), translated("asking"):
        raise KeyError


async def test_a_task_that_the_client_cancelled_itself_is_an_error_like_others() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.cancel()
    with pytest.raises(LogError, match="asking: ConnectionAbortedError: the client gave up"), translated("asking"):
        await task


async def test_whoever_is_cancelled_from_outside_ends() -> None:
    async def ask() -> None:
        with translated("asking"):
            await asyncio.sleep(60)

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


def test_brokers_that_are_away_are_named_with_what_to_do() -> None:
    with pytest.raises(LogError) as refused, translated("connecting"):
        raise KafkaConnectionError("Unable to bootstrap from [('127.0.0.1', 19092, <AddressFamily.AF_INET: 2>)]")
    assert str(refused.value) == f"connecting: no broker answers at 127.0.0.1:19092\n  {BROKER_HINT}"
