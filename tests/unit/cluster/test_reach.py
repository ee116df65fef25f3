"""Somebody listens, or nobody does."""

from __future__ import annotations

import asyncio

from infra.broker.ports import free_port
from streams.cluster.reach import any_listens


async def test_one_that_listens_is_enough_and_none_is_a_no() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    nobody = free_port()
    assert await any_listens(f"127.0.0.1:{nobody}, 127.0.0.1:{port}")
    assert not await any_listens(f"127.0.0.1:{nobody},nonsense")
    server.close()
    await server.wait_closed()
    assert not await any_listens(f"127.0.0.1:{port}")
    assert not await any_listens("")
