"""The lattice agent: what random histories seldom reach."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import MemoryFact
from streams.agents.base import Emit, Record
from streams.agents.lattice import LatticeAgent, accounts
from streams.core.block import BlockRef
from streams.core.leaf import leaf_of, tree_of
from streams.core.lthash import ZERO, LtHash, sum_elements
from streams.core.merkle.log import verify_consistency
from streams.core.merkle.sparse import EMPTY, verify
from streams.errors import PoisonError
from tests.facts import agent_of, delete, digest, memory_of, secret_of, upsert
from tests.fakes import MemoryState, record_of

A, B = agent_of(0), agent_of(1)
ONE = BlockRef(1, digest("one"), digest("genesis"))
TWO = BlockRef(2, digest("two"), ONE.hash)
THREE = BlockRef(3, digest("three"), TWO.hash)
IDS = [digest("id", n) for n in range(10)]
CAUSES = [digest("cause", n) for n in range(10)]


def records(*facts: MemoryFact) -> list[Record]:
    return [record_of("memory.log", "MemoryFact", fact) for fact in facts]


def lattice(state: MemoryState | None = None) -> LatticeAgent:
    return LatticeAgent(3, state or MemoryState(), secret_of)


def roots(agent: LatticeAgent) -> dict[bytes, Any]:
    emissions: list[Emit] = list(agent.emit_before_commit())
    assert len({emit.key for emit in emissions}) == len(emissions), "one record per agent"
    return {emit.key: emit.value for emit in emissions}


def test_one_coalesced_record_per_agent_touched() -> None:
    agent = lattice()
    agent.apply(ONE, records(upsert(A, IDS[0], CAUSES[0], ONE), upsert(B, IDS[1], CAUSES[1], ONE)))
    agent.apply(TWO, records(upsert(A, IDS[2], CAUSES[2], TWO)))
    found = roots(agent)
    assert set(found) == {A, B}
    leaves = [leaf_of(secret_of(A), memory_of(A, IDS[n], block)) for n, block in ((0, ONE), (2, TWO))]
    assert found[A]["count"] == 2
    assert found[A]["lattice"] == bytes(sum_elements([leaf.value for leaf in leaves]))
    assert found[A]["checksum"] == LtHash.of(found[A]["lattice"]).checksum()
    assert found[A]["merkle_root"] == tree_of(secret_of(A), [memory_of(A, IDS[0], ONE), memory_of(A, IDS[2], TWO)]).root
    assert (found[A]["block"], found[B]["block"]) == (TWO.record(), ONE.record())
    assert roots(agent) == {}, "nothing touched, nothing said"


def test_a_stored_memory_is_provable_against_the_published_root() -> None:
    agent = lattice()
    agent.apply(None, records(*(upsert(A, IDS[n], CAUSES[n]) for n in range(5))))
    root = roots(agent)[A]["merkle_root"]
    tree = tree_of(secret_of(A), [memory_of(A, IDS[n]) for n in range(5)])
    leaf, other = leaf_of(secret_of(A), memory_of(A, IDS[2])), leaf_of(secret_of(A), memory_of(A, IDS[7]))
    assert verify(tree.prove(leaf.path), root, leaf.path, leaf.value)
    assert verify(tree.prove(other.path), root, other.path, None)
    assert not verify(tree.prove(other.path), root, other.path, other.value)


def test_an_undo_names_the_block_that_touched_the_agent_before() -> None:
    agent = lattice()
    agent.apply(ONE, records(upsert(A, IDS[0], CAUSES[0], ONE)))
    agent.apply(TWO, records(upsert(A, IDS[1], CAUSES[1], TWO), upsert(B, IDS[2], CAUSES[2], TWO)))
    roots(agent)
    agent.revert(TWO, records(upsert(A, IDS[1], CAUSES[1], TWO), upsert(B, IDS[2], CAUSES[2], TWO)))
    found = roots(agent)
    assert found[A]["block"] == ONE.record()
    assert found[B] is None, "an agent of whom no fact is left has a tombstone"


def test_an_agent_with_nothing_live_but_facts_that_stand_keeps_a_record() -> None:
    agent = lattice()
    agent.apply(ONE, records(upsert(A, IDS[0], CAUSES[0], ONE)))
    agent.apply(None, records(delete(A, IDS[0], CAUSES[1])))
    root = roots(agent)[A]
    assert (root["count"], root["lattice"], root["merkle_root"]) == (0, bytes(2048), EMPTY)


def test_commands_do_not_move_the_state_digest() -> None:
    agent = lattice()
    agent.apply(ONE, records(upsert(A, IDS[0], CAUSES[0], ONE)))
    before = agent.state_digest()
    agent.apply(None, records(upsert(A, IDS[1], CAUSES[1]), delete(A, IDS[0], CAUSES[2])))
    assert agent.state_digest() == before
    agent.revert(ONE, records(upsert(A, IDS[0], CAUSES[0], ONE)))
    assert agent.state_digest() == ZERO.checksum()


def test_a_block_undone_under_a_standing_delete_leaves_no_leaf_behind() -> None:
    state = MemoryState()
    agent = lattice(state)
    agent.apply(None, records(delete(A, IDS[0], CAUSES[1])))
    before = dict(state.content)
    agent.apply(ONE, records(upsert(A, IDS[0], CAUSES[0], ONE)))
    agent.revert(ONE, records(upsert(A, IDS[0], CAUSES[0], ONE)))
    assert state.content == before


def test_a_block_in_pieces_is_the_block() -> None:
    facts = [upsert(A, IDS[0], CAUSES[0], ONE), upsert(A, IDS[1], CAUSES[1], ONE), upsert(B, IDS[2], CAUSES[2], ONE)]
    whole, pieces = MemoryState(), MemoryState()
    lattice(whole).apply(ONE, records(*facts))
    agent = lattice(pieces)
    for record in records(*facts):
        agent.apply(ONE, [record])
    assert pieces.content == whole.content


def test_applying_twice_is_applying_once() -> None:
    agent = lattice()
    facts = records(upsert(A, IDS[0], CAUSES[0], ONE), delete(B, IDS[1], CAUSES[0], ONE))
    agent.apply(ONE, facts)
    first = roots(agent)
    agent.apply(ONE, facts)
    assert roots(agent) == first


@pytest.mark.parametrize(
    ("kind", "changed", "reason"),
    [
        ("Intent", {}, "not a fact"),
        ("MemoryFact", {"memory": None}, "without its memory"),
        ("MemoryFact", {"memory_id": IDS[5]}, "another id"),
        ("MemoryFact", {"owner": B}, "another id or owner"),
        ("MemoryFact", {"block": None}, "block it lies in"),
        ("MemoryFact", {"block": TWO.record()}, "block it lies in"),
    ],
)
def test_poison_is_named_and_changes_nothing(kind: str, changed: dict[str, Any], reason: str) -> None:
    state = MemoryState()
    agent = lattice(state)
    good = upsert(A, IDS[0], CAUSES[0], ONE)
    poison = record_of("memory.log", kind, {**upsert(A, IDS[1], CAUSES[1], ONE), **changed})
    with pytest.raises(PoisonError, match=reason):
        agent.apply(ONE, [*records(good), poison])
    assert state.content == {}
    assert roots(agent) == {}
    agent.apply(ONE, records(good))
    agent.revert(ONE, [poison, *records(good)])
    assert state.content == {}, "what was refused is not taken back"


def test_facts_of_a_block_do_not_come_outside_blocks() -> None:
    with pytest.raises(PoisonError, match="block it lies in"):
        lattice().apply(None, records(upsert(A, IDS[0], CAUSES[0], ONE)))


def test_final_states_form_an_append_only_log() -> None:
    agent = lattice()
    agent.apply(ONE, records(upsert(A, IDS[0], CAUSES[0], ONE)))
    at_one = agent.state_digest()
    agent.apply(TWO, records(upsert(A, IDS[1], CAUSES[1], TWO)))
    (first,) = agent.finalize(ONE)
    assert first.key == bytes([0, 0, 0, 3]) + bytes(8)
    assert first.value is not None
    assert first.value["checksum"] == at_one, "blocks above the final one do not count"
    assert list(agent.finalize(ONE)) == []
    (second,) = agent.finalize(TWO)
    assert list(agent.finalize(ONE)) == []
    assert second.value is not None
    assert second.value["index"] == 1
    assert verify_consistency(1, 2, agent.final_log.prove_consistency(1, 2), first.value["root"], second.value["root"])
    for ask in (lambda: agent.final_log.root(3), lambda: agent.final_log.prove_consistency(1, 3)):
        with pytest.raises(ValueError, match="2 entries"):
            ask()


def test_finality_before_any_record_is_the_empty_state() -> None:
    (entry,) = lattice().finalize(ONE)
    assert entry.value is not None
    assert entry.value["checksum"] == ZERO.checksum()


def test_an_undo_below_the_final_line_heals() -> None:
    agent = lattice()
    blocks = [(ONE, upsert(A, IDS[0], CAUSES[0], ONE)), (TWO, upsert(A, IDS[1], CAUSES[1], TWO))]
    for block, fact in blocks:
        agent.apply(block, records(fact))
    at_two = agent.state_digest()
    agent.finalize(TWO)
    agent.revert(TWO, records(blocks[1][1]))
    at_one = agent.state_digest()
    other = BlockRef(2, digest("other two"), ONE.hash)
    agent.apply(other, ())
    (entry,) = agent.finalize(other)
    assert entry.value is not None
    assert (entry.value["index"], entry.value["checksum"]) == (1, at_one)
    assert at_one != at_two
    assert roots(agent)[A]["count"] == 1


def test_a_final_block_undone_in_pieces_leaves_the_state_of_its_parent() -> None:
    agent = lattice()
    first = [upsert(A, IDS[n], CAUSES[n], ONE) for n in range(2)]
    second = [upsert(A, IDS[n], CAUSES[n], TWO) for n in range(2, 5)]
    agent.apply(ONE, records(*first))
    at_one = agent.state_digest()
    agent.apply(TWO, records(*second))
    agent.finalize(TWO)
    for record in records(*second):
        agent.revert(TWO, [record])
    agent.apply(BlockRef(3, digest("x"), ONE.hash), records())
    (entry,) = agent.finalize(BlockRef(2, digest("y"), ONE.hash))
    assert entry.value is not None
    assert entry.value["checksum"] == at_one == agent.state_digest()


def test_state_kept_for_blocks_is_bounded_by_finality() -> None:
    state, parent = MemoryState(), ONE
    agent = lattice(state)
    sizes = []
    for number in range(2, 60):
        block = BlockRef(number, digest("b", number), parent.hash)
        agent.apply(block, records(upsert(A, digest("id", number), CAUSES[0], block)))
        agent.finalize(parent)
        kept = [key for key in state.content if key[:1] == b"b"]
        sizes.append((len(kept), len(state.content[b"t" + A])))
        parent = block
    assert max(sizes) <= (3, 3 * 72)
    assert sizes[-1] == sizes[-10]


def test_bounded_caches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> list[dict[bytes, Any]]:
        agent = lattice()
        seen = []
        for n in range(30):
            owner = agent_of(n % 7)
            agent.apply(None, records(upsert(owner, digest("id", n), digest("cause", n))))
            if n % 4 == 3:
                agent.apply(None, records(delete(owner, digest("id", n - 7), digest("cause", n))))
                seen.append(roots(agent))
        assert len(agent._accounts._cache) <= accounts.MAX_ACCOUNTS
        return seen

    wide = run()
    monkeypatch.setattr(accounts, "MAX_TREE_LEAVES", 2)
    assert run() == wide
    monkeypatch.setattr(accounts, "MAX_ACCOUNTS", 1)
    assert run() == wide


def test_a_long_replay_without_commits_gives_up_the_tree_not_the_root() -> None:
    agent, facts = lattice(), [upsert(A, digest("id", n), digest("cause", n)) for n in range(1500)]
    agent.apply(None, records(*facts))
    agent.apply(None, records(*(delete(A, digest("id", n), digest("gone", n)) for n in range(1500))))
    assert agent._accounts[A].tree is None
    assert roots(agent)[A]["merkle_root"] == EMPTY


def test_secrets_do_not_show() -> None:
    agent = lattice()
    agent.apply(None, records(upsert(A, IDS[0], CAUSES[0])))
    assert secret_of(A).hex() not in repr(agent._accounts[A])
    assert repr(secret_of(A)) not in repr(agent._accounts[A])


def test_of_too_many_accounts_the_tenth_that_was_used_least_recently_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (accounts.MAX_ACCOUNTS, accounts.LEAVE) == (10_000, 10)
    monkeypatch.setattr(accounts, "MAX_ACCOUNTS", 20)
    held = accounts.Accounts(MemoryState())
    for number in range(20):
        held[bytes([number]) * 20]
    assert held[bytes(20)] is held[bytes(20)]  # used: it stays
    held.trim()
    assert len(held._cache) == 20
    held[b"\x63" * 20]
    held.trim()
    assert len(held._cache) == 18
    assert bytes(20) in held._cache
    assert b"\x01" * 20 not in held._cache
