"""A store that answers, complains, and fails."""

from __future__ import annotations

from streams.errors import StoreError
from streams.ops.health.provider import ask
from streams.ops.health.providers.stores import Store


async def test_what_the_question_comes_to() -> None:
    async def well() -> str:
        return ""

    async def complains() -> str:
        return "the zero address has vectors"

    async def fails() -> str:
        raise StoreError("cassandra does not answer", "Is it running?")

    said = [await ask(Store("cassandra", question), 5) for question in (well, complains, fails)]
    assert [(one.status, one.detail, one.down) for one in said] == [
        ("healthy", "", False),
        ("degraded", "the zero address has vectors", False),
        ("failed", "cassandra does not answer", True),
    ]
