"""What must hold on each branch, and what a change of the head does."""

from __future__ import annotations

from collections import Counter

import pytest

from connectors.chain.devchain import ChangeKind, DevChain, ReorgPlan, Step, StepKind, play, script
from connectors.chain.devchain.block import Block
from connectors.chain.devchain.contracts import POOLS, TOKENS, VAULT
from connectors.chain.devchain.contracts.exchange import SUPPLY
from connectors.chain.devchain.world import GENESIS_WEI
from streams.errors import ConfigurationError
from tests.unit.devchain.conftest import lived_chain


def branch_of(chain: DevChain, block: Block) -> list[Block]:
    """Genesis to ``block``."""
    line = [block]
    while line[-1].number:
        parent = chain.block(line[-1].header.parent)
        assert parent is not None
        line.append(parent)
    return line[::-1]


def check_nonces(line: list[Block]) -> None:
    nonces: Counter[bytes] = Counter()
    hashes = set()
    for block in line:
        for transaction in block.transactions:
            assert transaction.nonce == nonces[transaction.sender]
            assert transaction.hash not in hashes
            nonces[transaction.sender] += 1
            hashes.add(transaction.hash)


def check_money(chain: DevChain, line: list[Block]) -> None:
    """Wei is conserved but for the burnt base fee; tokens are conserved; pools and the vault are sound."""
    world = chain.world(line[-1].hash)
    assert world is not None
    ledger = world.ledger
    burnt = sum(block.header.base_fee * block.header.gas_used for block in line)
    assert sum(ledger.balances.values()) + burnt == GENESIS_WEI * len(chain.agents)
    genesis = DevChain(chain.rules.seed, agents=len(chain.agents), transactions=chain.rules.transactions)
    start = genesis.world(genesis.head.hash)
    assert start is not None
    for token in TOKENS:
        assert supply(ledger.slots[token.address]) == supply(start.ledger.slots[token.address])
    for pool in POOLS.values():
        assert supply(ledger.slots[pool]) == ledger.slot(pool, SUPPLY)
    stakes = sum(amount for key, amount in ledger.slots[VAULT].items() if key.startswith(b"stake"))
    mon = next(token.address for token in TOKENS if token.symbol == "MON")
    assert stakes == ledger.slot(mon, b"balance" + VAULT)


def supply(slots: dict[bytes, int]) -> int:
    return sum(amount for key, amount in slots.items() if key.startswith(b"balance"))


def test_nonces_and_balances_hold_on_every_branch_ever_made() -> None:
    chain = DevChain(5, agents=6, transactions=8)
    seen: dict[bytes, Block] = {}
    for step in script(5, 40, ReorgPlan(every=4, max_depth=7)):
        for change in play(chain, step):
            seen.update((block.hash, block) for block in change.added)
            line = branch_of(chain, chain.head)
            check_nonces(line)
            check_money(chain, line)
    orphans = [block for block in seen.values() if chain.block(block.hash) is not None and not chain.is_canonical(block)]
    assert len(orphans) > 10
    for block in orphans:
        check_nonces(branch_of(chain, block))


def test_the_competing_branch_holds_the_same_transactions_elsewhere_and_others() -> None:
    chain = DevChain(2, agents=8, transactions=20)
    chain.advance(12)
    change = chain.reorg(6)
    old = {t.hash: (b.number, i) for b in change.removed for i, t in enumerate(b.transactions)}
    new = {t.hash: (b.number, i) for b in change.added for i, t in enumerate(b.transactions)}
    again = old.keys() & new.keys()
    assert len(again) > len(old) / 5
    assert new.keys() - old.keys()
    assert old.keys() - new.keys()
    assert any(old[h] != new[h] for h in again)


def test_a_reorg_names_old_new_and_ancestor() -> None:
    chain = DevChain(2, agents=4, transactions=3)
    chain.advance(10)
    old = chain.head.ref
    change = chain.reorg(3, extra=2)
    assert [block.number for block in change.removed] == [8, 9, 10]
    assert [block.number for block in change.added] == [8, 9, 10, 11, 12]
    assert change.added[0].header.parent == change.removed[0].header.parent == change.ancestor.hash
    assert change.ancestor.number == 7
    entry = chain.reorg_log[-1]
    assert (entry.kind, entry.depth, entry.old, entry.new) == (ChangeKind.REORG, 3, old, chain.head.ref)
    assert all(chain.block(block.hash) is block and not chain.is_canonical(block) for block in change.removed)
    found = {t.hash for block in change.added for t in block.transactions}
    for block in change.removed:
        for transaction in block.transactions:
            assert (chain.locate(transaction.hash) is not None) == (transaction.hash in found)


def test_equal_timestamps_do_not_tell_branches_apart_but_hashes_do() -> None:
    chain = DevChain(2, transactions=0, slot=1)
    chain.advance(3)
    change = chain.reorg(2, extra=0)
    assert {block.hash for block in change.removed}.isdisjoint(block.hash for block in change.added)
    assert [b.header.timestamp for b in change.removed] == [b.header.timestamp for b in change.added]


def test_flip_returns_to_the_first_branch() -> None:
    chain = DevChain(2, agents=4, transactions=3)
    chain.advance(10)
    tip = chain.head
    away, back = list(play(chain, Step(StepKind.FLIP, 4, 1)))
    assert chain.head is tip
    assert away.removed == back.added
    assert away.added == back.removed
    chain.advance(2)
    check_nonces(branch_of(chain, chain.head))


def test_nested_goes_below_the_first_ancestor() -> None:
    chain = DevChain(2, agents=4, transactions=3)
    chain.advance(10)
    first, second = list(play(chain, Step(StepKind.NESTED, 3, 1)))
    assert second.ancestor.number < first.ancestor.number
    assert set(first.added) < set(second.removed)


def test_lower_keeps_orphans_and_silent_forgets_them() -> None:
    chain = DevChain(2, agents=4, transactions=3)
    chain.advance(10)
    (lower,) = play(chain, Step(StepKind.LOWER, 2))
    assert chain.head.number == 8
    assert lower.added == ()
    assert all(chain.block(block.hash) is block for block in lower.removed)
    (silent,) = play(chain, Step(StepKind.SILENT, 3))
    assert silent.kind is ChangeKind.SILENT_REWIND
    assert chain.head.number == 5
    assert all(chain.block(block.hash) is None for block in silent.removed)
    chain.advance()
    assert chain.head.hash != silent.removed[0].hash
    with pytest.raises(ConfigurationError):
        chain.switch(silent.removed[0].hash)
    with pytest.raises(ConfigurationError, match="dropped by a silent rewind"):
        chain.switch(lower.removed[-1].hash)


def test_final_blocks_stay() -> None:
    chain = DevChain(2, transactions=0, finality_depth=8)
    chain.advance(7)
    assert chain.final is None
    chain.advance(13)
    assert chain.final is chain.at(12)
    assert chain.safe is chain.at(16)
    for attempt in (chain.reorg, chain.rewind, chain.silent_rewind):
        with pytest.raises(ConfigurationError, match="block 12 is final"):
            attempt(9)
    with pytest.raises(ConfigurationError, match="block 12 is final"):
        chain.switch(chain.at(11).hash)
    assert chain.head.number == 20
    chain.rewind(8)
    assert chain.final is chain.safe is chain.head
    assert list(play(chain, Step(StepKind.REORG, 5))) == []


def test_finality_never_goes_back_in_a_long_script() -> None:
    chain = DevChain(4, transactions=1, finality_depth=10)
    final = b""
    for step in script(4, 120, ReorgPlan(every=5, max_depth=32)):
        for _ in play(chain, step):
            if final:
                assert chain.is_canonical(chain.block(final))
            final = chain.final.hash if chain.final else b""
    assert max(entry.depth for entry in chain.reorg_log) >= 10
    assert {entry.kind for entry in chain.reorg_log} == {ChangeKind.REORG, ChangeKind.REWIND, ChangeKind.SILENT_REWIND}


def test_depth_32() -> None:
    chain = DevChain(4, transactions=2)
    chain.advance(40)
    change = chain.reorg(32)
    assert len(change.removed) == 32
    assert chain.head.number == 41
    check_nonces(branch_of(chain, chain.head))


@pytest.mark.parametrize("depth", [0, -1])
def test_a_reorg_of_nothing_is_refused(depth: int) -> None:
    with pytest.raises(ConfigurationError, match="replaces nothing"):
        DevChain(1).reorg(depth)


def test_states_older_than_finality_are_dropped() -> None:
    chain = lived_chain(blocks=90)
    kept = [block for built in chain.line() if chain.world((block := built.block).hash) is not None]
    assert len(kept) == chain.finality_depth + 1
