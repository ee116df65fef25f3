"""Fixtures: ``geth`` is a fresh node, ``consensus`` moves its head. Tests that need them skip where nobody built the binary,
in CI too: a build takes minutes, and CI builds nothing that long.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.geth.binary import ABSENT, find
from tests.geth.engine import Consensus
from tests.geth.node import GethNode


@pytest.fixture(scope="session")
def geth_binary() -> Path:
    binary = find()
    if binary is None:
        pytest.skip(ABSENT)
    return binary


@pytest.fixture
async def geth(geth_binary: Path, tmp_path: Path) -> AsyncIterator[GethNode]:
    """A node that writes every state to disk."""
    node = GethNode(geth_binary, tmp_path / "geth")
    try:
        node.start()
        yield node
    finally:
        node.kill()
        await node.rpc.close()


@pytest.fixture
async def consensus(geth: GethNode) -> AsyncIterator[Consensus]:
    async with Consensus(geth) as driver:
        yield driver
