"""An exchange of rows that is cut off is known from the log, at whatever step; another's unfinished work stays so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Self

import pytest

from schemas.records import MemoryFact
from streams import topics
from streams.core.checkpoint import Redo
from streams.errors import FencedError
from streams.ports.log import TopicPartition
from streams.repair.owned import OwnedRows, owned_rows
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.early import say
from streams.upkeep.pipeline import Pipeline
from tests.chainlog import SIGNER, VERIFIER
from tests.fakelog import FakeBroker
from tests.serving_fakes import FakeMemoryStore
from tests.steps import block
from tests.unit.runtime.driving import settings
from tests.unit.serving.world import ALICE, upsert

OLD, NEW = (upsert(ALICE, block(1, 0, bytes(32)), index, f"fact {index}") for index in range(2))


class KilledError(Exception):
    """Whoever worked is gone."""


class Cut(FakeMemoryStore):
    """Ends the work at the ``at``-th step; ``steps`` as they were."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.steps: list[str] = []

    async def claim(self, lane: bytes) -> Self:
        assert lane == b"lane"
        return self

    def step(self, name: str) -> None:
        if len(self.steps) == self.at:
            raise KilledError
        self.steps.append(name)

    async def revert(self, facts: Sequence[MemoryFact]) -> None:
        self.step("out")
        await super().revert(facts)

    async def apply(self, facts: Sequence[MemoryFact]) -> None:
        self.step("in")
        await super().apply(facts)


@pytest.mark.parametrize("before", [Redo(), Redo(3), Redo(3, unfinished=True)])
async def test_wherever_it_is_cut_rows_are_gone_only_while_the_log_says_so(before: Redo) -> None:
    for at in count():
        store = Cut(at=at)
        await FakeMemoryStore.apply(store, [OLD])
        said = [before]

        async def tell(redo: Redo, store: Cut = store, said: list[Redo] = said) -> None:
            store.step("told")
            said.append(redo)

        rows = OwnedRows(store, tell, before)
        try:
            await rows.exchange([OLD], [NEW])
        except KilledError:
            assert said[-1].unfinished or store.rows.keys() == {(ALICE, OLD["memory_id"])}
            continue
        assert store.rows.keys() == {(ALICE, NEW["memory_id"])}
        assert said[-1] == (before if before.unfinished else Redo(before.count + 1))
        assert store.steps == (["out", "in"] if before.unfinished else ["told", "out", "in", "told"])
        break
    assert at == len(store.steps)


async def test_nothing_to_exchange_is_nothing_said() -> None:
    store = Cut(at=0)

    async def tell(_: Redo) -> None:
        raise KilledError

    await OwnedRows(store, tell).exchange([], [])


@pytest.mark.parametrize("cut", [True, False])
async def test_the_owner_of_the_partition_hears_of_it(tmp_path: Path, cut: bool) -> None:
    """In the slot that it reads when it opens the partition."""
    broker, store = FakeBroker(), Cut(at=1 if cut else 99)
    pipeline = Pipeline(broker, settings(tmp_path), SIGNER, VERIFIER)
    producer = broker.producer("memory", 1)
    await producer.start()
    await say(producer, Redo(4).checkpoint("memory", 1, topics.TRANSACTIONS))
    try:
        async with owned_rows(pipeline, store, 1, b"lane") as rows:
            await rows.exchange([OLD], [NEW])
    except KilledError:
        assert cut
    found = Redo.of(await read_checkpoints(broker.reader(), "memory", 1))
    assert found == Redo(5, unfinished=cut)
    assert TopicPartition(topics.CHECKPOINTS, 0) not in broker.logs or not broker.read(topics.CHECKPOINTS, 0)
    with pytest.raises(FencedError):
        await say(producer, Redo(9).checkpoint("memory", 1, topics.TRANSACTIONS))  # fenced: it is another's turn
