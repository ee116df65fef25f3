"""Logical to physical names, and the client's errors to ours.

Invariant: nothing of aiokafka's error classes leaves this package, nor a cancellation that nobody asked for: the client cancels
tasks of its own, and where one of them had just begun, as in a rebalance on top of another, that comes out of whatever call
looks at it next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import aiokafka
from aiokafka import errors

from streams import topics
from streams.cancellation import stray_cancellation_is_an_error
from streams.cluster.background import OUT_OF_TURN
from streams.cluster.denials import Operation, denial
from streams.cluster.words import hint, spoken
from streams.errors import FencedError, PositionLostError
from streams.ports.log import LogError, TopicPartition


class Names:
    """Both directions, cached, since they are asked for with every poll."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.to_kafka = cache(self._to_kafka)
        self.to_logical = cache(self._to_logical)

    def topic(self, name: str) -> str:
        """The broker's name."""
        return topics.physical(self.prefix, name)

    def _to_kafka(self, partition: TopicPartition) -> aiokafka.TopicPartition:
        return aiokafka.TopicPartition(self.topic(partition.topic), partition.partition)

    def _to_logical(self, partition: aiokafka.TopicPartition) -> TopicPartition:
        return TopicPartition(topics.logical(self.prefix, partition.topic), partition.partition)


@contextmanager
def translated(doing: str, operation: Operation = "READ") -> Iterator[None]:
    """Turns the client's errors into FencedError, PositionLostError, ClusterAccessError or LogError.

    ``operation``: what is denied where the brokers deny something of a topic.
    """
    try:
        with stray_cancellation_is_an_error():
            yield
    except errors.ProducerFenced as error:
        raise FencedError(f"fenced while {doing}", "Another worker took this partition over.") from error
    except errors.OffsetOutOfRangeError as error:
        raise PositionLostError(f"{doing}: the log no longer holds that offset") from error
    except (errors.KafkaError, OSError, TimeoutError, *OUT_OF_TURN) as error:
        if (refused := denial(error, operation)) is not None:
            raise refused from error
        raise LogError(f"{doing}: {spoken(error)}", hint(error)) from error
