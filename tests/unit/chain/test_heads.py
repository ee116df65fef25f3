"""Hints from a WebSocket that is none."""

from __future__ import annotations

import pytest

from connectors.chain.heads import hints
from streams.errors import SourceError


@pytest.mark.parametrize("url", ["https://node.example/v2/SECRET", "node.example/SECRET", "ws://"])
async def test_what_is_no_websocket_address_is_said_without_its_key(url: str) -> None:
    with pytest.raises(SourceError, match="no WebSocket address") as caught:
        await anext(hints(url))
    assert "SECRET" not in str(caught.value)
