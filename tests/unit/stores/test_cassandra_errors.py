"""Each failure of the driver is an error that says what happened, whether a retry helps, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from cassandra import AuthenticationFailed, OperationTimedOut, Unauthorized, Unavailable, WriteTimeout
from cassandra.cluster import NoHostAvailable

from connectors.stores.cassandra.connection import Connection
from connectors.stores.cassandra.errors import store_error
from streams.errors import ConfigurationError, FencedError, MonmouthError, StoreError
from streams.policy import StoreOpenError
from streams.settings import CassandraSettings

SAID = CassandraSettings(contact_points=["10.0.0.1", "10.0.0.2"], port=9142, username="u", password="hidden")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind", "word"),
    [
        (NoHostAvailable("none", {"10.0.0.1": ConnectionRefusedError("refused")}), StoreError, "ConnectionRefusedError"),
        (NoHostAvailable("none", {"10.0.0.1": AuthenticationFailed("bad")}), ConfigurationError, "name or the password"),
        (Unauthorized("no"), ConfigurationError, "too little"),
        (Unavailable("x"), StoreError, "fewer copies"),
        (WriteTimeout("x", write_type=0), StoreError, "in time"),
        (OperationTimedOut(), StoreError, "in time"),
        (ValueError("odd"), StoreError, "ValueError: odd"),
        (FencedError("newer"), FencedError, "newer"),
    ],
)
def test_kinds(error: Exception, kind: type[MonmouthError], word: str) -> None:
    found = store_error(SAID, error)
    assert type(found) is kind and word in str(found) and "hidden" not in str(found)
    if kind is StoreError:
        assert "10.0.0.1, 10.0.0.2, port 9142" in found.message and "Nothing was lost" in found.hint


async def test_a_store_that_keeps_failing_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(SAID, Path())
    asked: list[int] = []

    def connect() -> None:
        asked.append(1)
        raise StoreError("no node could be used")

    monkeypatch.setattr(connection, "_connect", connect)
    for _ in range(5):
        with pytest.raises(StoreError, match="no node"):
            await connection.ready()
    with pytest.raises(StoreOpenError, match="no node"):
        await connection.ready()
    assert len(asked) == 5
