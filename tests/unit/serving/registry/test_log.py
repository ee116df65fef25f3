"""A writer that is overtaken, or does not learn how its write ended, decides anew; not for ever."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from streams.core.registry.decide import (
    RegistryError,
    clear_level,
    delete_subject,
    delete_version,
    register,
    set_level,
)
from streams.core.registry.table import FIRST_FREE_ID, Key, Table
from streams.errors import FencedError
from streams.ports.log import LogError, TopicPartition
from streams.serving.faults import UnavailableError
from streams.serving.registry import log as module
from streams.serving.registry.log import ATTEMPTS, UNSURE, RegistryLog, _decoded
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


class Unanswering:
    """The log itself, of which the first ``times`` commits are not answered: they were carried out (``written``), or not."""

    def __init__(self, written: bool, times: int = 1) -> None:
        self.table, self.written, self.left = Table(), written, times
        self.sent: list[tuple[bytes, bytes | None]] = []

    def producer(self, group: str, partition: int) -> Any:
        return self

    async def start(self) -> None:
        """The one before is shut out."""

    async def begin(self) -> None:
        self.sent = []

    async def send(self, rows: dict[TopicPartition, Any]) -> None:
        (self.sent,) = rows.values()

    async def commit(self) -> None:
        self.left -= 1
        if self.left < 0 or self.written:
            for key, value in self.sent:
                self.table.take(Key.of(key), None if value is None else _decoded(value))
        if self.left >= 0:
            raise LogError("no answer")

    async def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (partial(delete_subject, subject="s", permanent=False), [1, 2]),
        (partial(delete_version, subject="s", number="latest", permanent=False), 2),
        (partial(delete_subject, subject="gone", permanent=True), [1]),
        (partial(clear_level, subject="s"), "FULL"),
        (partial(register, subject="s", text='"string"'), FIRST_FREE_ID + 2),
    ],
)
async def test_a_change_that_was_not_acknowledged_is_answered_as_what_it_was(
    monkeypatch: pytest.MonkeyPatch, change: Any, answer: Any, written: bool, times: int
) -> None:
    log_of_it = Unanswering(written, times)
    table = log_of_it.table
    before = [
        partial(register, subject="s", text='"int"'),
        partial(register, subject="s", text='"long"'),
        lambda _: set_level("s", "FULL"),
        partial(register, subject="gone", text='"int"'),
        partial(delete_subject, subject="gone", permanent=False),
    ]
    for step in before:
        for key, row in step(table).rows:
            table.take(key, row)
    if change.func is register:
        table.take(*set_level("s", "NONE").rows[0])
    log = RegistryLog(KafkaSettings(), 0.01, log_of_it)  # type: ignore[arg-type]

    async def fresh() -> Table:
        return table

    monkeypatch.setattr(log, "fresh", fresh)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.0)
    once = table.copy()
    for key, row in change(once).rows:
        once.take(key, row)
    assert await log.change(change) == answer
    assert list(table.rows()) == list(once.rows()), "once, and not a second time"
    if change.func in {delete_subject, clear_level}:
        with pytest.raises(RegistryError):
            await log.change(change)  # asked for again, there is nothing left


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
