"""A real Milvus server for the session. Loaded as a plugin, so that all tests share one.

``milvus``: the server. ``milvus_collection``: opens one collection of the test module, without a row when the test begins.
Its programs come from MONMOUTH_MILVUS or the checkout's .monmouth/milvus-server, fetched there once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.stores.milvus import MilvusVectorStore
from infra.milvus import LocalMilvus
from infra.milvus.errors import ServerUnavailableError
from tests.availability import unavailable

ROOT = Path(__file__).resolve().parents[1]
Open = Callable[[], MilvusVectorStore]


def programs() -> Path:
    """Where the server's programs are kept."""
    return Path(os.environ.get("MONMOUTH_MILVUS") or ROOT / ".monmouth" / "milvus-server")


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalMilvus]:
    """Where the system gives it no network of its own, it listens on all interfaces for as long as the tests run."""
    server = LocalMilvus(tmp_path_factory.mktemp("milvus"), programs=programs(), exposed=True)
    try:
        server.start()
    except ServerUnavailableError as error:
        unavailable(f"no Milvus server: {error}")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def milvus_collection(milvus: LocalMilvus, request: pytest.FixtureRequest) -> Open:
    """Making a collection takes seconds, so the tests of a module share one."""
    name = "t_" + request.module.__name__.replace(".", "_")[-60:]

    def opened() -> MilvusVectorStore:
        return MilvusVectorStore(milvus.url, name)

    store = opened()
    store._client.delete(name, filter='key != ""', timeout=30)
    store._writer.shutdown()
    store._readers.shutdown()
    store._client.close()
    return opened
