"""Fixtures of the gateway's tests on a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from streams.settings import Settings
from tests.integration.serving.live import Live, live_gateway


@pytest.fixture
async def live(kafka_settings: Settings) -> AsyncIterator[Live]:
    async with live_gateway(kafka_settings) as made:
        yield made
