"""The end of Kafka clients, whatever state their brokers are in.

Assumes nothing is wanted of a client any more. Invariant: each is asked to stop, though another's stop raises, or the client
cancels its own tasks under whoever waits for them; a caller that was told to stop itself does.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer

STOP_SECONDS = 5.0


async def ended(*consumers: AIOKafkaConsumer) -> None:
    """Stops them side by side, each in a task of its own: what a client cancels is then not the caller."""
    stops = (asyncio.wait_for(consumer.stop(), STOP_SECONDS) for consumer in consumers)
    await asyncio.gather(*stops, return_exceptions=True)
