"""Offsets that a consumer group has committed, asked by somebody who is no member."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient

from streams.cluster.arguments import client_arguments
from streams.runtime.kafka.names import Names, translated
from streams.settings import KafkaSettings


async def committed_offsets(settings: KafkaSettings, group: str, partition: int) -> dict[str, int | None]:
    """Of one partition, by logical topic; those without a commit are left out. Raises LogError."""
    names = Names(settings.prefix)
    admin = AIOKafkaAdminClient(**client_arguments(settings), request_timeout_ms=settings.request_timeout_ms)
    try:
        with translated("reading committed offsets"):
            await admin.start()
            found = await admin.list_consumer_group_offsets(names.topic(group))
        logical = {names.to_logical(place): held.offset for place, held in found.items() if held.offset >= 0}
        return {place.topic: offset for place, offset in logical.items() if place.partition == partition}
    finally:
        await admin.close()
