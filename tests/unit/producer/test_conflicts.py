"""Transactions that a reorg took back for good, and what is made of them: severity, metrics, log lines."""

from __future__ import annotations

import logging

import pytest

from streams.core.forkview import Severity
from streams.metrics import REGISTRY
from streams.producer.conflicts import Conflicts, RecentTransactions
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.chains import CHAIN_ID, ScriptedSource, chain, child
from tests.memory_log import MemoryLog


def remembered(**limits: int) -> RecentTransactions:
    recent = RecentTransactions(**limits)
    for block in chain(5, transactions=3):
        recent.note(block)
    return recent


def test_only_what_the_new_branch_lacks_counts() -> None:
    blocks = chain(5, transactions=3)
    removed = [block.ref for block in reversed(blocks[3:])]
    same = child(blocks[2].ref, salt=1, transactions=3)  # the transactions of block 3, in another block
    assert remembered().conflicts(removed, [same]) == Conflicts(6)
    assert remembered().conflicts(removed, []) == Conflicts(9)
    fewer = child(blocks[2].ref, salt=1, transactions=1)
    assert remembered().conflicts(removed, [fewer]) == Conflicts(8)


def test_a_removed_block_is_forgotten_and_one_never_seen_is_unknown() -> None:
    recent, blocks = remembered(), chain(5, transactions=3)
    assert recent.conflicts([blocks[5].ref], []) == Conflicts(3)
    assert recent.conflicts([blocks[5].ref, blocks[4].ref], []) == Conflicts(3, unknown=1)
    assert str(Conflicts(3, 1)) == "at least 3 transactions lost"


@pytest.mark.parametrize("limits", [{"blocks": 2}, {"transactions": 6}])
def test_the_oldest_blocks_go_first(limits: dict[str, int]) -> None:
    removed = [block.ref for block in reversed(chain(5, transactions=3))]
    assert remembered(**limits).conflicts(removed, []) == Conflicts(6, unknown=4)


def test_a_block_noted_twice_counts_once() -> None:
    recent = remembered(transactions=19)
    recent.note(chain(5, transactions=3)[5])
    removed = [block.ref for block in reversed(chain(5, transactions=3))]
    assert recent.conflicts(removed, []) == Conflicts(18)


def count(kind: Severity) -> float:
    return REGISTRY.get_sample_value("monmouth_producer_reorgs_total", {"severity": kind.value}) or 0.0


@pytest.mark.parametrize(
    ("transactions", "depth", "kind"),
    [(1, 3, Severity.MINOR), (9, 3, Severity.MAJOR), (40, 3, Severity.CRITICAL), (1, 12, Severity.MAJOR)],
)
async def test_severity_of_a_reorg_says_what_was_lost(
    transactions: int, depth: int, kind: Severity, caplog: pytest.LogCaptureFixture
) -> None:
    source, log = ScriptedSource(chain(14, transactions=transactions)), MemoryLog()
    settings = ChainSettings(finality_depth=64)
    producer = BlockProducer(source, log, Stager(CHAIN_ID, 1, Signer(bytes(32))), settings, CHAIN_ID, once=True)
    await producer.run()
    before = count(kind)
    source.reorg(depth, depth + 1)
    with caplog.at_level(logging.INFO, "streams.producer.loop"):
        done = await producer.run()
    branch = {tx["hash"] for block in source.canonical_blocks for tx in block.transactions}
    lost = sum(tx["hash"] not in branch for block in chain(14, transactions=transactions)[-depth:] for tx in block.transactions)
    assert done.conflicts == lost
    assert count(kind) == before + 1
    assert REGISTRY.get_sample_value("monmouth_producer_reorg_conflicts") == lost
    (said,) = [record for record in caplog.records if "reorg:" in record.getMessage()]
    assert f"{kind} reorg: {depth} blocks undone" in said.getMessage()
    assert said.levelno == (logging.INFO if kind is Severity.MINOR else logging.WARNING)
