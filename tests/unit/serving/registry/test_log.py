"""A writer that is overtaken, or does not learn how its write ended, decides anew; not for ever."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from streams.core.registry.decide import register
from streams.core.registry.table import Table
from streams.errors import FencedError
from streams.ports.log import LogError
from streams.serving.faults import UnavailableError
from streams.serving.registry import log as module
from streams.serving.registry.log import ATTEMPTS, UNSURE, RegistryLog
from streams.settings import KafkaSettings


class Client:
    """Makes producers that fail at the start, all in one way."""

    def __init__(self, error: Exception) -> None:
        self.error, self.made = error, 0

    def producer(self, group: str, partition: int) -> Any:
        self.made += 1
        return self

    async def start(self) -> None:
        raise self.error

    async def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize(
    ("error", "attempts", "said"),
    [
        (FencedError("fenced"), ATTEMPTS, "another process changed the registry"),
        (LogError("no answer"), UNSURE, "did not take the change: no answer"),
    ],
)
async def test_it_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch, error: Exception, attempts: int, said: str) -> None:
    client = Client(error)
    log = RegistryLog(KafkaSettings(), 1.0, client)  # type: ignore[arg-type]

    async def fresh() -> Table:
        return log.table

    monkeypatch.setattr(log, "fresh", fresh)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.0)
    with pytest.raises(UnavailableError, match=said):
        await log.change(partial(register, subject="s", text='"int"'))
    assert client.made == attempts
    assert log.table.subjects() == []
