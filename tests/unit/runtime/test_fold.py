"""What the runtime asks of a stream agent, in which order, and what it does not let it do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from schemas.codec import codec
from streams import topics
from streams.agents.base import Emit, Record
from streams.core.block import BlockRef
from streams.core.checkpoint import Checkpoint, history_slot
from streams.errors import PoisonError, StoreError
from streams.runtime import metrics
from streams.runtime.fold import StateMismatchError
from streams.runtime.job import AgentFactory
from streams.runtime.outbox import EmissionError
from streams.runtime.state import StateStore, state_path
from tests.chainlog import ChainLog, address
from tests.fakelog import FakeBroker
from tests.samples import SAMPLES
from tests.toys import Copy, factory
from tests.unit.runtime.driving import Tally, caught_up, check_tally, publish, settings, until, worker


def one_partition(blocks: int = 3) -> tuple[FakeBroker, ChainLog]:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for n in range(blocks):
        chain.add([n, 1])
    publish(broker, chain)
    return broker, chain


async def test_stores_are_flushed_before_anything_is_written(tmp_path: Path) -> None:
    broker, _ = one_partition()
    seen: list[str] = []
    broker.fault = seen.append

    class Flushing(Tally):
        async def prepare(self, records: Sequence[Record]) -> None:
            seen.append("prepare")

        def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Any:
            seen.append("apply")
            return super().apply(block, records)

        async def flush(self) -> None:
            seen.append("flush")

    async with worker(broker, settings(tmp_path), [factory(Flushing)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    order = [step for step in seen if step not in {"read", "producer.start"}]
    assert order[: order.index("begin")] == ["prepare", "apply", "apply", "apply", "flush"]
    assert order[order.index("begin") :] == ["begin", "send", "send", "send", "send_offsets", "commit", "committed"]


async def test_a_store_that_does_not_acknowledge_is_asked_again(tmp_path: Path) -> None:
    broker, chain = one_partition()
    failures = iter([True, True, False])

    class Flaky(Tally):
        async def flush(self) -> None:
            if self.touched or next(failures, False):
                raise StoreError("no answer")

    async with worker(broker, settings(tmp_path), [factory(Flaky)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


class Emitting(Copy):
    """Emits what the test says, wherever it says."""

    name: ClassVar[str] = "emitting"
    tables: ClassVar[tuple[str, ...]] = (topics.ROOTS,)
    stateful: ClassVar[bool] = True
    from_apply: ClassVar[list[Any]] = []
    from_revert: ClassVar[list[Any]] = []
    from_finalize: ClassVar[list[Any]] = []

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        return self.from_apply

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        return self.from_revert

    def finalize(self, block: BlockRef) -> Iterable[Emit]:
        return self.from_finalize


LOG = Emit(topics.INTENTS, b"k", "Intent", SAMPLES["Intent"])
WRONG: dict[str, dict[str, list[Emit]]] = {
    "does not declare": {"from_apply": [Emit(topics.MEMORY_LOG, b"k", "MemoryFact", SAMPLES["MemoryFact"])]},
    "rag.intents outside apply": {"from_revert": [LOG]},
    "intents outside apply": {"from_finalize": [LOG]},
    "must carry the block": {
        "from_apply": [Emit(topics.INTENTS, b"k", "MemoryFact", {**SAMPLES["MemoryFact"], "block": None})]
    },
    "a Intent emitted": {"from_apply": [LOG._replace(value=None)]},
    "does not fit its schema": {"from_apply": [Emit(topics.ROOTS, b"k", "LatticeRoot", {"agent": b"short"})]},
}


@pytest.mark.parametrize(("message", "emits"), WRONG.items(), ids=WRONG.keys())
async def test_emissions_that_are_not_allowed(tmp_path: Path, message: str, emits: dict[str, list[Emit]]) -> None:
    broker, chain = one_partition()
    since = chain.sequence
    chain.undo(1)
    chain.finalize(1)
    publish(broker, chain, since)
    spec = type("Wrong", (Emitting,), emits)
    with pytest.raises(EmissionError, match=message):
        async with worker(broker, settings(tmp_path), [AgentFactory(spec, spec)]) as task:
            await until(task.done)
    assert broker.read(topics.INTENTS, 0) == []


async def test_a_revert_that_is_no_inverse_is_found_out(tmp_path: Path) -> None:
    broker, chain = one_partition()

    class Sloppy(Tally):
        def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
            return ()

    config = settings(tmp_path)
    before = metrics.REBUILDS.labels("tally", "StateMismatchError")._value.get()
    with pytest.raises(StateMismatchError, match="state after the rewind to 2/"):
        async with worker(broker, config, [factory(Sloppy)]) as task:
            await until(lambda: caught_up(broker, "tally"), task)
            since = chain.sequence
            chain.undo(1)
            publish(broker, chain, since)
            await until(task.done)
    assert metrics.REBUILDS.labels("tally", "StateMismatchError")._value.get() == before + 1
    async with worker(broker, config, [factory(Tally)]) as task:  # a version that is right goes on
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_state_that_went_wrong_is_rebuilt_at_the_rewind(tmp_path: Path) -> None:
    broker, chain = one_partition()

    class Bitten(Tally):
        bitten = False

        def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
            if not Bitten.bitten:
                Bitten.bitten = True
                self.state.put(b"t" + bytes(20), b"7")
            return super().revert(block, records)

    async with worker(broker, settings(tmp_path), [factory(Bitten)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        since = chain.sequence
        chain.undo(2)
        chain.add([4])
        publish(broker, chain, since)
        await until(lambda: caught_up(broker, "tally"), task)
    assert Bitten.bitten
    check_tally(broker, chain)


async def test_checkpoints_say_where_it_stands_and_what_was_undone(tmp_path: Path) -> None:
    broker, chain = one_partition(6)
    since = chain.sequence
    chain.undo(2)
    publish(broker, chain, since)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    slots = {key: Checkpoint.of(codec().decode(value)[1]) for key, value in broker.read(topics.CHECKPOINTS, 0) if value}
    tip = slots[b"tally/0/tip"]
    assert (tip.at.block, tip.at.sequence) == (chain.head, 6)
    assert tip.offsets == {topics.TRANSACTIONS: 19, topics.COMMANDS: 0}
    assert {key: (c.at.block.number, c.live) for key, c in slots.items() if key != b"tally/0/tip"} == {
        b"tally/0/1": (1, True), b"tally/0/2": (2, True), b"tally/0/3": (3, True), b"tally/0/4": (4, True),
        b"tally/0/5": (5, False), b"tally/0/6": (6, False), b"tally/0/hb0.0": (5, False),
        b"tally/0/ht1.6": (1, True), b"tally/0/r.6": (4, True),
    }  # fmt: skip


async def test_checkpoints_of_block_time_outlive_restarts_finality_and_undos(tmp_path: Path) -> None:
    """Wherever a worker stops, the next one knows the tip's time, so the slots are those of one run without a stop."""
    config = settings(tmp_path)
    config.memory.checkpoint_interval = 2
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)

    async def run(*changes: Callable[[], object]) -> dict[str, tuple[int, bool]]:
        since = chain.sequence
        for change in changes:
            change()
        publish(broker, chain, since)
        async with worker(broker, config, [factory(Tally)]) as task:
            await until(lambda: caught_up(broker, "tally"), task)
        found = [Checkpoint.of(codec().decode(value)[1]) for _, value in broker.read(topics.CHECKPOINTS, 0) if value]
        return {c.slot: (c.at.block.number, c.live) for c in found if c.slot.startswith("ht")}

    def slots(*blocks: int) -> dict[str, tuple[int, bool]]:
        return {history_slot("t", (1_700_000_000 + number) // 2): (number, True) for number in blocks}

    assert await run(chain.add, chain.add, lambda: chain.finalize(2)) == slots(1, 2)
    assert await run(chain.add) == slots(1, 2)  # at 2 x 850,000,001.5: no boundary since block 2
    assert await run(lambda: chain.finalize(3), chain.add) == slots(1, 2, 4)
    undone = await run(lambda: chain.undo(2))
    assert undone == {**slots(1, 2, 4), history_slot("t", 850_000_002): (4, False)}
    assert await run(lambda: chain.add(fork=1)) == undone
    assert await run(lambda: chain.add(fork=1), lambda: chain.add(fork=1)) == slots(1, 2, 4)
    check_tally(broker, chain)


async def test_a_defect_of_an_agent_comes_out_as_it_is(tmp_path: Path) -> None:
    broker, _ = one_partition()

    class Broken(Copy):
        def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
            raise KeyError("a defect")

    with pytest.raises(KeyError, match="a defect"):
        async with worker(broker, settings(tmp_path), [factory(Broken), factory(Tally)]) as task:
            await until(task.done)


async def test_one_record_refused_alone_leaves_nothing_behind(tmp_path: Path) -> None:
    """An agent that changed state before it refused: the runtime takes the change back."""
    broker, _ = one_partition(1)

    class Late(Tally):
        def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Any:
            emits = list(super().apply(block, records))
            if any(record.value["agent"] == refused for record in records):
                raise PoisonError("refused late")
            return emits

    refused = address(0)
    async with worker(broker, settings(tmp_path), [factory(Late)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    assert len(broker.read(topics.DLQ, 0)) == 1
    store = StateStore(state_path(tmp_path, "tally", 0))
    assert list(store.scan(b"t")) == [(b"t" + address(1), b"1")]
    store.close()
