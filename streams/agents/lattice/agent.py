"""The fold: facts about memories in, lattice roots out.

Per agent an LtHash and a sparse Merkle tree over its live memories; per partition the sum of those, and the sum over what
would be live without commands, whose checksum is the state digest: it is equal whenever the same blocks stand.
Assumes facts of one memory all reach one partition. Invariants: facts form sets, so order and repetition do not matter;
``revert`` after ``apply`` restores LocalState bit for bit; caches are rebuilt from LocalState by a new instance. A fact whose
agent's keys were destroyed since carries the leaf it had, so that the log gives the same history again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from schemas.records import LatticeLog, LatticeRoot, Memory, MemoryFact
from streams.agents.base import Emit, LocalState, Record, StreamAgent
from streams.agents.lattice.accounts import ROW, Account, Accounts
from streams.agents.lattice.final_log import FinalLog
from streams.agents.lattice.journal import Journal
from streams.agents.lattice.rows import UPSERT, Row, pack_fact
from streams.core.block import BlockRef
from streams.core.leaf import Leaf, leaf_of
from streams.core.log_entry import entry_hash
from streams.core.lthash import STATE_BYTES, ZERO, LtHash, merge, sum_elements, sum_groups
from streams.core.presence import NO_BLOCK, Fact
from streams.core.sealed import erased_leaf
from streams.errors import PoisonError
from streams.topics import MEMORY_LOG, ROOTS

SUMS = b"p"


@dataclass(slots=True)
class Movement:
    """What one call does to one agent. Values of leaves that come and go; the same for ``live_on_chain`` where it differs."""

    account: Account
    added: list[bytes] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    chain_added: list[bytes] = field(default_factory=list)
    chain_removed: list[bytes] = field(default_factory=list)
    changes: dict[bytes, bytes | None] = field(default_factory=dict)


class LatticeAgent(StreamAgent):
    """``secrets``: the leaf secret (32 bytes) of an agent (20 bytes). Not asked for one whose keys were destroyed."""

    name = "lattice"
    inputs = (MEMORY_LOG,)
    tables = (ROOTS,)
    stateful = True
    keeps_state = True

    def __init__(self, partition: int, state: LocalState, secrets: Callable[[bytes], bytes]) -> None:
        super().__init__(partition, state)
        self.final_log = FinalLog(state)
        self._journal = Journal(state)
        self._accounts = Accounts(state)
        self._secrets = secrets
        self._dirty: set[bytes] = set()
        sums = state.get(SUMS)
        self.total = LtHash.of(sums[:STATE_BYTES]) if sums else ZERO
        self._chain = LtHash.of(sums[STATE_BYTES:]) if sums else ZERO

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        facts = [_checked(block, record) for record in records]
        moves: dict[bytes, Movement] = {}
        for fact in facts:
            self._apply_fact(self._movement(moves, fact["owner"]), fact)
        self._settle(moves, on_chain=block is not None)
        if block is not None:
            self._journal.record(block, moves, self._chain.checksum())
        return ()

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        moves: dict[bytes, Movement] = {}
        for fact in _folded(block, records):
            self._revert_fact(self._movement(moves, fact["owner"]), fact)
        self._settle(moves, on_chain=True)
        self._journal.undo(block, moves, self._chain.checksum())
        self.final_log.undo(block)
        return ()

    def finalize(self, block: BlockRef) -> Iterable[Emit]:
        if self.final_log.covers(block):
            return ()
        checksum = self._journal.finalize(block)
        log = self.final_log.append(block, entry_hash(self.partition, block, checksum))
        if log is None:
            return ()
        index = log.size - 1
        entry = LatticeLog(partition=self.partition, index=index, block=block.record(), checksum=checksum, root=log.root())  # type: ignore[typeddict-item]
        return (Emit(ROOTS, self.partition.to_bytes(4, "big") + index.to_bytes(8, "big"), "LatticeLog", entry),)

    def emit_before_commit(self) -> Iterable[Emit]:
        emissions = [self._root(agent) for agent in sorted(self._dirty)]
        self._dirty.clear()
        self._accounts.flush()
        self._accounts.trim()
        self._accounts.trim_trees()
        return emissions

    def state_digest(self) -> bytes:
        return self._chain.checksum()

    def _root(self, agent: bytes) -> Emit:
        account, newest = self._accounts[agent], self._journal.newest(agent)
        if not account.rows:
            return Emit(ROOTS, agent, "LatticeRoot", None)
        root = LatticeRoot(
            agent=agent,
            count=account.count,
            lattice=bytes(account.lattice),
            checksum=account.lattice.checksum(),
            merkle_root=self._accounts.merkle_root(agent),
            block=newest.record() if newest else None,  # type: ignore[typeddict-item]
        )
        return Emit(ROOTS, agent, "LatticeRoot", root)

    def _movement(self, moves: dict[bytes, Movement], agent: bytes) -> Movement:
        move = moves.get(agent)
        if move is None:
            move = moves[agent] = Movement(self._accounts[agent])
        return move

    def _apply_fact(self, move: Movement, fact: MemoryFact) -> None:
        key = ROW + fact["owner"] + fact["memory_id"]
        stored = self.state.get(key)
        memory = fact["memory"] if fact["op"] == "UPSERT" else None
        if stored is None and memory is not None:  # the usual case, without a detour
            leaf = self._leaf(memory)
            self.state.put(key, leaf.path + leaf.value + _packed(UPSERT, fact))
            move.account.rows += 1
            move.added.append(leaf.value)
            move.changes[leaf.path] = leaf.value
            return
        before = Row.of(stored) if stored else Row()
        after = before.upsert(_named(fact), self._leaf(memory)) if memory is not None else before.delete(_named(fact))
        self._replace(move, key, before, after)

    def _leaf(self, memory: Memory) -> Leaf:
        return erased_leaf(memory) or leaf_of(self._secrets(memory["agent"]), memory)

    def _revert_fact(self, move: Movement, fact: MemoryFact) -> None:
        key = ROW + fact["owner"] + fact["memory_id"]
        stored = self.state.get(key)
        if stored is not None:
            before = Row.of(stored)
            self._replace(move, key, before, before.without(_named(fact)))

    def _replace(self, move: Movement, key: bytes, before: Row, after: Row) -> None:
        if before.presence == after.presence:
            return
        move.account.rows += bool(after.presence) - bool(before.presence)
        if after.presence:
            self.state.put(key, bytes(after))
        else:
            self.state.delete(key)
        leaf = after.leaf if after.presence.upserts else before.leaf
        step = after.live() - before.live()
        if step:
            (move.added if step > 0 else move.removed).append(leaf.value)
            move.changes[leaf.path] = leaf.value if step > 0 else None
        chain_step = after.live_on_chain() - before.live_on_chain() - step
        (move.chain_added if chain_step > 0 else move.chain_removed).extend([leaf.value] * abs(chain_step))

    def _settle(self, moves: dict[bytes, Movement], *, on_chain: bool) -> None:
        """Expands the leaves of all movements, agent by agent, and adds them up."""
        deltas = sum_groups([move.added for move in moves.values()])
        extra: list[LtHash] = []
        for index, (agent, move) in enumerate(moves.items()):
            account = move.account
            if move.removed:
                deltas[index] = deltas[index] - sum_elements(move.removed)
            if move.chain_added or move.chain_removed:
                extra.append(sum_elements(move.chain_added) - sum_elements(move.chain_removed))
            account.lattice = account.lattice + deltas[index]
            account.count += len(move.added) - len(move.removed)
            account.note(move.changes)
            self._accounts.save(agent)
        self._dirty.update(moves)
        self._accounts.trim()
        if not deltas:
            return
        moved = merge(deltas)
        self.total = self.total + moved
        if on_chain:
            self._chain = self._chain + moved + merge(extra)
        if self.total or self._chain:
            self.state.put(SUMS, bytes(self.total) + bytes(self._chain))
        else:
            self.state.delete(SUMS)


def _checked(block: BlockRef | None, record: Record) -> MemoryFact:
    """The fact in a record. Raises PoisonError if there is none that can be folded."""
    fact: MemoryFact = record.value
    if record.type != "MemoryFact":
        raise PoisonError(f"a {record.type} is not a fact about a memory")
    if fact["op"] == "UPSERT":
        memory = fact["memory"]
        if memory is None:
            raise PoisonError("an UPSERT without its memory")
        if memory["id"] != fact["memory_id"] or memory["agent"] != fact["owner"]:
            raise PoisonError("an UPSERT whose memory has another id or owner")
        if memory["sealed"] is not None and erased_leaf(memory) is None:
            raise PoisonError("an UPSERT of a memory that cannot be read, without its leaf")
    of = fact["block"]
    if (of is None) is not (block is None) or (of is not None and block is not None and of["hash"] != block.hash):
        raise PoisonError("a fact that is not of the block it lies in")
    return fact


def _folded(block: BlockRef, records: Iterable[Record]) -> Iterator[MemoryFact]:
    """The facts that ``apply`` took; what it refused has nothing to be taken back."""
    for record in records:
        with suppress(PoisonError):
            yield _checked(block, record)


def _named(fact: MemoryFact) -> Fact:
    block = fact["block"]
    return Fact(fact["cause"]) if block is None else Fact(fact["cause"], block["hash"], block["number"])


def _packed(op: int, fact: MemoryFact) -> bytes:
    block = fact["block"]
    number, block_hash = (-1, NO_BLOCK) if block is None else (block["number"], block["hash"])
    return pack_fact(op, number, block_hash, fact["cause"])
