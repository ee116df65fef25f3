"""A world over fakes, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.unit.serving.folding import Folding
from tests.unit.serving.world import World, client


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client(world) as opened:
        yield opened


@pytest.fixture
def folded(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which sessions open, fill and end."""
    monkeypatch.setattr(world.commands, "send", Folding(world).send)
    return world
