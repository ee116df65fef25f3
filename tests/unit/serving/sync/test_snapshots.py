"""Snapshots that break are said to be broken, and keep nothing from ending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streams.errors import MonmouthError
from streams.serving.sync.snapshots import Snapshots
from tests.unit.serving.sync.sides import Deployment


class Broken:
    """Facts that a defect keeps from being read."""

    async def agents(self) -> AsyncIterator[bytes]:
        raise RuntimeError("a defect")
        yield b""


async def test_a_defect_is_told_to_whoever_asks_and_does_not_disturb_the_end() -> None:
    world = Deployment().world
    facts: Any = Broken()
    snapshots = Snapshots(facts, world.chain)
    made = snapshots.open(world.blocks[0])
    assert made.task is not None
    await asyncio.wait([made.task])
    with pytest.raises(MonmouthError, match="broke: RuntimeError"):
        snapshots.get(made.id)
    await snapshots.close()
