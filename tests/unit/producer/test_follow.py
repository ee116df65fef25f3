"""Nodes that lag, lie, rewind, reorganise or are reset, against the whole producer with a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import repeat

import pytest

from streams.core.block import BlockRef
from streams.ports.chain import Block
from streams.producer.follow import ChainMismatchError
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.chains import CHAIN_ID, ScriptedSource, chain
from tests.memory_log import MemoryLog

SIGNER = Signer(bytes(32))


class Rig:
    """One producer that is polled by hand: ``poll`` asks and publishes until there is nothing more to do."""

    def __init__(self, source: ScriptedSource, log: MemoryLog | None = None, **settings: object) -> None:
        self.source, self.log = source, log or MemoryLog()
        self.settings = ChainSettings(finality_depth=16, batch_blocks=7, **settings)
        self.restart()

    def restart(self) -> None:
        self.producer = BlockProducer(
            self.source, self.log, Stager(CHAIN_ID, 2, SIGNER), self.settings, CHAIN_ID, once=True
        )  # fmt: skip

    async def poll(self, times: int = 1) -> None:
        """A poll is a whole run that stops when the source has no more; what a node did before stays remembered."""
        for _ in range(times):
            await self.producer.run()

    def canonical(self) -> list[BlockRef]:
        """What a reader of the log holds."""
        held: list[BlockRef] = []
        for record in self.log.notifications:
            if record["step"] == "NEW":
                held.append(BlockRef.of(record["block"]))
            elif record["step"] == "UNDO":
                for removed in record["removed"]:
                    assert held.pop() == BlockRef.of(removed)
        return held

    def undos(self) -> list[int]:
        return [len(record["removed"]) for record in self.log.steps("UNDO")]


async def test_backfill_then_live_without_a_gap() -> None:
    rig = Rig(ScriptedSource(chain(40)))
    await rig.poll()
    rig.source.grow(3)
    await rig.poll()
    assert rig.canonical() == [block.ref for block in rig.source.canonical_blocks]
    assert rig.log.steps("FINAL")[-1]["block"]["number"] == 27
    assert max(rig.log.transactions) > 2, "settled blocks share a transaction"


async def test_live_blocks_have_a_transaction_each() -> None:
    rig = Rig(ScriptedSource(chain(3)))
    await rig.poll()
    assert rig.log.transactions == [1, 1, 1, 1]


@pytest.mark.parametrize("orphans", [True, False])
@pytest.mark.parametrize(("depth", "new"), [(1, 1), (1, 2), (5, 5), (15, 30)])
async def test_reorgs_of_any_depth(depth: int, new: int, orphans: bool) -> None:
    rig = Rig(ScriptedSource(chain(30), orphans=orphans))
    await rig.poll()
    rig.source.reorg(depth, new)
    await rig.poll()
    assert rig.undos() == [depth]
    assert rig.canonical() == [block.ref for block in rig.source.canonical_blocks]


async def test_undo_and_its_replacement_are_one_transaction() -> None:
    rig = Rig(ScriptedSource(chain(20)))
    await rig.poll()
    rig.source.reorg(4, 4)
    rig.log.transactions.clear()
    await rig.poll()
    assert rig.log.transactions == [5]


async def test_reorg_deeper_than_the_window_reads_the_log_further_back() -> None:
    rig = Rig(ScriptedSource(chain(60)), MemoryLog(keep=4), rewind_confirmations=1)
    await rig.poll()
    rig.restart()
    rig.source.reorg(50, 55)
    await rig.poll()
    assert rig.undos() == [50]
    assert rig.canonical() == [block.ref for block in rig.source.canonical_blocks]


async def test_a_reorg_below_finality_heals_and_raises_the_alarm(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(ScriptedSource(chain(40)), rewind_confirmations=3)
    await rig.poll()
    rig.source.reorg(30, 31)
    await rig.poll(2)
    assert rig.undos() == []
    await rig.poll()
    assert rig.undos() == [30]
    assert rig.log.steps("UNDO")[0]["final"]["number"] == 10
    assert "ALARM" in caplog.text
    assert rig.canonical() == [block.ref for block in rig.source.canonical_blocks]


@pytest.mark.parametrize("new", [30, 40])
async def test_a_straggler_on_a_branch_that_left_what_is_final_undoes_nothing(new: int) -> None:
    rig = Rig(ScriptedSource(chain(40)), rewind_confirmations=2)
    await rig.poll()
    honest, straggler = rig.source, ScriptedSource(chain(40))
    straggler.known = rig.source.known | straggler.known
    straggler.reorg(30, new)
    for _ in range(4):
        rig.producer._source = rig.producer._follower._source = straggler
        await rig.poll()
        rig.producer._source = rig.producer._follower._source = honest
        await rig.poll()
    assert rig.undos() == []


async def test_a_lower_branch_that_leaves_what_is_final_waits_no_longer_than_any_other() -> None:
    rig = Rig(ScriptedSource(chain(40)), rewind_confirmations=3)
    await rig.poll()
    rig.source.reorg(30, 5)
    await rig.poll(2)
    assert rig.undos() == []
    await rig.poll()
    assert rig.undos() == [30]


async def test_a_silent_rewind_undoes_after_enough_polls() -> None:
    rig = Rig(ScriptedSource(chain(30), orphans=False), rewind_confirmations=3)
    await rig.poll()
    rig.source.drop(2)
    await rig.poll(2)
    assert rig.undos() == []
    await rig.poll()
    assert rig.undos() == [2]
    assert rig.canonical()[-1].number == 28


async def test_a_node_behind_that_moves_is_not_believed() -> None:
    rig = Rig(ScriptedSource(chain(30)), rewind_confirmations=2)
    await rig.poll()
    kept = rig.source.canonical_blocks[:]
    for height in range(20, 31):  # another node behind the same address, catching up
        rig.source.canonical_blocks = kept[: height + 1]
        await rig.poll()
    assert rig.undos() == []


async def test_a_lagging_node_never_undoes_however_long_it_lags() -> None:
    full = chain(30)
    rig = Rig(ScriptedSource(full), rewind_confirmations=2)
    await rig.poll()
    rig.source = ScriptedSource(full[:21])
    rig.restart()
    await rig.poll(10)
    assert rig.undos() == []


@pytest.mark.parametrize("orphans", [True, False])
async def test_a_node_that_comes_back_below_finality_is_waited_for(orphans: bool, caplog: pytest.LogCaptureFixture) -> None:
    """As geth does when it is killed: the newest states were in memory, the blocks may still be there."""
    source = ScriptedSource(chain(30), orphans=orphans)
    rig = Rig(source, rewind_confirmations=2)
    await rig.poll()
    whole = source.canonical_blocks[:]
    source.drop(20)
    await rig.poll(5)
    assert "waiting for it to catch up" in caplog.text
    rig.restart()
    await rig.poll(5)
    source.replace(whole)
    source.grow(2)
    await rig.poll()
    assert rig.undos() == []
    assert rig.canonical() == [block.ref for block in source.canonical_blocks]


async def test_a_node_that_comes_back_below_finality_and_takes_another_branch_is_followed() -> None:
    rig = Rig(ScriptedSource(chain(30)), rewind_confirmations=2)
    await rig.poll()
    rig.source.drop(20)
    await rig.poll(5)
    rig.source.reorg(0, 3)
    await rig.poll(2)
    assert rig.undos() == [20]
    assert rig.canonical() == [block.ref for block in rig.source.canonical_blocks]


async def test_a_syncing_node_never_undoes() -> None:
    rig = Rig(ScriptedSource(chain(30)), rewind_confirmations=2)
    await rig.poll()
    rig.source.drop(5)
    rig.source.is_syncing = True
    await rig.poll(6)
    assert rig.undos() == []


async def test_a_lower_head_on_another_branch_waits_for_confirmation_too() -> None:
    rig = Rig(ScriptedSource(chain(30)), rewind_confirmations=3)
    await rig.poll()
    rig.source.reorg(5, 2)
    await rig.poll(2)
    assert rig.undos() == []
    await rig.poll()
    assert rig.undos() == [5]


@pytest.mark.parametrize("height", [5, 40, 50])
async def test_a_reset_node_halts_and_undoes_nothing(height: int) -> None:
    rig = Rig(ScriptedSource(chain(40)), rewind_confirmations=1)
    await rig.poll()
    rig.source.replace(chain(height, salt=9))
    with pytest.raises(ChainMismatchError, match=r"another genesis|where the log begins"):
        await rig.poll()
    assert rig.undos() == []


@pytest.mark.parametrize("height", [12, 40, 50])
async def test_a_node_that_lost_what_was_final_halts_and_undoes_nothing(height: int) -> None:
    rig = Rig(ScriptedSource(chain(40)), rewind_confirmations=1)
    await rig.poll()
    rig.source.replace(chain(10))  # same genesis, but block 24, which was final, is gone
    rig.source.reorg(0, height - 10)
    with pytest.raises(ChainMismatchError, match="no longer knows block 24/"):
        await rig.poll(2)
    assert rig.undos() == []


def forgetful(rig: Rig, monkeypatch: pytest.MonkeyPatch, answers: Iterator[bool]) -> None:
    """From now on the source says whether it knows what was final as ``answers`` say."""
    final = rig.log.steps("FINAL")[-1]["block"]["hash"]

    async def ref(block_hash: bytes) -> BlockRef | None:
        return await ScriptedSource.ref(rig.source, block_hash) if block_hash != final or next(answers) else None

    monkeypatch.setattr(rig.source, "ref", ref)


async def test_one_answer_that_does_not_know_what_was_final_is_a_stragglers(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(ScriptedSource(chain(40)), rewind_confirmations=3)
    await rig.poll()
    for answers in ([False, True], [False, False, True]):
        rig.source.reorg(3, 3)
        forgetful(rig, monkeypatch, iter(answers))
        before = rig.undos()
        await rig.poll(len(answers) - 1)
        assert rig.undos() == before, "it waits for a better answer"
        await rig.poll()
        assert rig.undos() == [*before, 3]


async def test_that_what_was_final_stays_unknown_halts(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(ScriptedSource(chain(40)), rewind_confirmations=3)
    await rig.poll()
    rig.source.reorg(3, 4)
    forgetful(rig, monkeypatch, repeat(False))
    await rig.poll(2)
    with pytest.raises(ChainMismatchError, match="no longer knows"):
        await rig.poll()
    assert rig.undos() == []


async def test_another_chain_id_halts() -> None:
    rig = Rig(ScriptedSource(chain(5)))
    await rig.poll()
    rig.source.id = 1
    with pytest.raises(ChainMismatchError, match="the node is chain 1"):
        await rig.poll()


async def test_a_reset_while_the_producer_was_down_is_seen_at_once() -> None:
    rig = Rig(ScriptedSource(chain(40)))
    await rig.poll()
    rig.source = ScriptedSource(chain(60, salt=4))
    rig.restart()
    with pytest.raises(ChainMismatchError, match="where the log begins"):
        await rig.poll()
    assert rig.undos() == []


async def test_the_nodes_finality_tag_rules_over_depth() -> None:
    rig = Rig(ScriptedSource(chain(30)))
    rig.source.tag = 25
    await rig.poll()
    assert rig.log.steps("FINAL")[-1]["block"]["number"] == 25
    rig.source.tag = 20  # finality never goes back
    await rig.poll()
    assert rig.log.steps("FINAL")[-1]["block"]["number"] == 25


class Row(ScriptedSource):
    """Two nodes behind one address: ``ahead`` answers for the head and the final tag, a straggler for everything else."""

    def __init__(self, straggler: ScriptedSource, ahead: ScriptedSource) -> None:
        super().__init__(straggler.canonical_blocks)
        self.known |= ahead.known
        self.ahead = ahead
        self.asked: list[list[int]] = []

    async def head(self) -> BlockRef:
        return await self.ahead.head()

    async def final(self) -> BlockRef | None:
        return await self.ahead.final()

    async def canonical(self, numbers: Sequence[int]) -> list[BlockRef | None]:
        self.asked.append(list(numbers))
        return await super().canonical(numbers)


@pytest.mark.parametrize("tag", [None, 50])
async def test_nodes_further_apart_than_the_finality_depth_make_nothing_final_that_is_left(
    tag: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    straggler, ahead = ScriptedSource(chain(30)), ScriptedSource(chain(30))
    straggler.grow(10)
    ahead.reorg(0, 40)
    ahead.tag = tag
    rig = Rig(Row(straggler, ahead))
    await rig.poll()
    assert rig.canonical()[-1] == straggler.head_ref
    finals = {BlockRef.of(record["block"]) for record in rig.log.steps("FINAL")}
    assert finals <= {block.ref for block in ahead.canonical_blocks}
    rig.source = ahead
    rig.restart()
    await rig.poll()
    assert rig.canonical() == [block.ref for block in ahead.canonical_blocks]
    assert rig.undos() == [10]
    assert rig.log.steps("FINAL")[-1]["block"]["number"] == (tag or 70 - 16)
    assert "ALARM" not in caplog.text


async def test_a_tag_far_above_is_confirmed_once_a_batch() -> None:
    node = ScriptedSource(chain(60))
    node.tag = 55
    source = Row(node, node)
    rig = Rig(source)
    await rig.poll()
    tips = [6, 13, 20, 27, 34, 41, 48]
    assert [numbers for numbers in source.asked if len(numbers) == 2] == [[tip, 55] for tip in tips]
    assert [record["block"]["number"] for record in rig.log.steps("FINAL")] == [*tips, 55]


async def test_depth_alone_asks_for_nothing_more_than_the_blocks() -> None:
    node = ScriptedSource(chain(60))
    source = Row(node, node)
    rig = Rig(source)
    await rig.poll()
    assert [numbers for numbers in source.asked if len(numbers) == 2] == []
    assert rig.log.steps("FINAL")[-1]["block"]["number"] == 60 - 16


class Miscounting(ScriptedSource):
    """Calls each block one lower than it is, so that the way back by hash leads below the first block."""

    async def head(self) -> BlockRef:
        return BlockRef(self.head_ref.number - 1, self.head_ref.hash, self.head_ref.parent)

    async def span(self, first: int, last: int) -> list[Block]:
        blocks = self.canonical_blocks[first + 1 : last + 2]
        return [Block(BlockRef(b.ref.number - 1, b.ref.hash, b.ref.parent), b.header, b.transactions) for b in blocks]

    async def ref(self, block_hash: bytes) -> BlockRef | None:
        found = await super().ref(block_hash)
        return found and BlockRef(found.number - 1, found.hash, found.parent)


async def test_a_node_that_miscounts_its_own_blocks_is_asked_again_not_given_up() -> None:
    rig = Rig(ScriptedSource(chain(5)))
    await rig.poll()
    honest = rig.source
    honest.grow(3)
    for source in (Miscounting(honest.canonical_blocks), honest):
        rig.producer._source = rig.producer._follower._source = source
        await rig.poll()
    assert rig.undos() == []
    assert rig.canonical() == [block.ref for block in honest.canonical_blocks]


async def test_a_tag_of_the_next_branch_makes_nothing_of_this_one_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node changes its branch, and what is final on it, between the two questions."""
    source = ScriptedSource(chain(10))
    rig = Rig(source)
    await rig.poll()
    last = source.head_ref

    async def head() -> BlockRef:
        if source.head_ref == last:
            source.reorg(5, 12)
            source.tag = 14
            return last
        return source.head_ref

    monkeypatch.setattr(source, "head", head)
    await rig.poll(3)
    held = [block.ref for block in source.canonical_blocks]
    assert rig.canonical() == held
    assert [BlockRef.of(record["block"]) for record in rig.log.steps("FINAL")][-1] == held[14]
    assert all(BlockRef.of(record["block"]) in held for record in rig.log.steps("FINAL"))


async def test_writes_that_were_not_confirmed_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.producer.loop.FIRST_PAUSE", 0.001)
    for outcome in ("lost", "landed"):
        rig = Rig(ScriptedSource(chain(20)))
        rig.log.fail = ["ok", outcome, "ok", outcome]
        await rig.poll()
        assert rig.log.opened == 3
        assert rig.canonical() == [block.ref for block in rig.source.canonical_blocks]


async def test_a_source_that_fails_now_and_then_only_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.producer.loop.FIRST_PAUSE", 0.001)
    rig = Rig(ScriptedSource(chain(20)))
    rig.source.broken = ["garbage", "garbage"]
    await rig.poll()
    assert len(rig.canonical()) == 21


async def test_a_source_that_never_works_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.producer.loop.FIRST_PAUSE", 0.001)
    rig = Rig(ScriptedSource(chain(2)))
    rig.source.broken = ["garbage"] * 50
    with pytest.raises(Exception, match="garbage"):
        await rig.poll()


async def test_until_stops_exactly_there_and_a_restart_goes_on() -> None:
    rig = Rig(ScriptedSource(chain(30)))
    producer = BlockProducer(rig.source, rig.log, Stager(CHAIN_ID, 2, SIGNER), rig.settings, CHAIN_ID, until=11)
    await producer.run()
    assert len(rig.canonical()) == 12
    await rig.poll()
    assert len(rig.canonical()) == 31


async def test_a_burst_of_hints_is_not_a_burst_of_confirmations() -> None:
    rig = Rig(ScriptedSource(chain(30)), rewind_confirmations=3, poll_interval=30)
    producer = BlockProducer(rig.source, rig.log, Stager(CHAIN_ID, 2, SIGNER), rig.settings, CHAIN_ID)
    running = asyncio.create_task(producer.run())
    async with asyncio.timeout(10):
        while producer.progress.view.tip != rig.source.head_ref:
            await asyncio.sleep(0.005)
    rig.source.drop(2)
    for _ in range(20):
        producer._wake.set()
        await asyncio.sleep(0.005)
    producer.stop()
    await running
    assert rig.undos() == []
