"""The development chain: a tree of blocks, which of its branches is canonical, and the ways that can change.

Everything follows from the seed and the sequence of calls; there is no clock and no randomness besides. Blocks are never
forgotten, save by a silent rewind, which drops what it cuts as a node does whose database was set back.

Invariant: ``canonical`` is one line of blocks from genesis to the head; no change removes a final block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from blake3 import blake3

from connectors.chain.devchain.block import GENESIS_BASE_FEE, Block, Header, ordered_root
from connectors.chain.devchain.builder import Builder, Built, Rules
from connectors.chain.devchain.contracts import contract_address
from connectors.chain.devchain.notes import Note
from connectors.chain.devchain.transaction import Account, Transaction
from connectors.chain.devchain.world import World, genesis_world
from streams.core.block import ZERO_HASH, BlockRef
from streams.errors import ConfigurationError

DEFAULT_CHAIN_ID = 1337
GENESIS_TIME = 1_735_689_600  # 2025-01-01T00:00:00Z
MINIMUM_GAS_LIMIT = 36_000_000
GAS_PER_TRANSACTION = 240_000  # twice what a transaction uses on average, so that blocks stay below half full


class ChangeKind(StrEnum):
    """How the head moved."""

    EXTEND = "extend"
    REORG = "reorg"
    REWIND = "rewind"
    SILENT_REWIND = "silent rewind"


@dataclass(frozen=True, slots=True)
class HeadChange:
    """``removed`` and ``added``: blocks in ascending order, the ancestor in neither."""

    kind: ChangeKind
    removed: tuple[Block, ...]
    added: tuple[Block, ...]
    ancestor: BlockRef


@dataclass(frozen=True, slots=True)
class ReorgEntry:
    """One line of the reorg log. ``depth``: blocks removed."""

    kind: ChangeKind
    depth: int
    old: BlockRef
    new: BlockRef
    ancestor: BlockRef


class DevChain:
    """A chain from a seed. ``agents``: how many accounts act; ``transactions``: about how many a block holds."""

    def __init__(
        self,
        seed: int = 1,
        *,
        agents: int = 12,
        transactions: int = 12,
        chain_id: int = DEFAULT_CHAIN_ID,
        slot: int = 12,
        finality_depth: int = 64,
    ) -> None:
        if not (
            0 <= seed < 2**63 and 1 <= agents <= 1_000 and 0 <= transactions <= 2_000 and slot >= 1 and finality_depth >= 1
        ):
            raise ConfigurationError(
                "the development chain cannot be made like this",
                "Take a seed from 0 to 2^63-1, 1 to 1000 agents, 0 to 2000 transactions a block, a slot and a finality depth "
                "of at least 1.",
            )
        gas_limit = max(MINIMUM_GAS_LIMIT, transactions * GAS_PER_TRANSACTION)
        self.rules = Rules(seed, chain_id, GENESIS_TIME, slot, transactions, gas_limit)
        self.finality_depth = finality_depth
        self.accounts = tuple(Account(blake3(b"monmouth devchain agent %d/%d" % (seed, n)).digest()) for n in range(agents))
        self._builder = Builder(self.rules, self.accounts)
        self.reorg_log: list[ReorgEntry] = []
        self._built: dict[bytes, Built] = {}
        self._worlds: dict[bytes, World] = {}
        self._line: list[bytes] = []
        self._index: dict[bytes, tuple[bytes, int]] = {}
        self._waiting: dict[bytes, dict[int, tuple[Transaction, Note | None]]] = {}
        self._salt = 0
        self._final = 0
        self._start()

    @property
    def head(self) -> Block:
        """The canonical tip."""
        return self._built[self._line[-1]].block

    @property
    def final(self) -> Block | None:
        """The highest final block; None until there is one above genesis."""
        return self._built[self._line[self._final]].block if self._final else None

    @property
    def safe(self) -> Block | None:
        """Half as deep as the final block; None until there is one above genesis."""
        number = max(self._final, self.head.number - self.finality_depth // 2)
        return self._built[self._line[number]].block if number > 0 else None

    @property
    def agents(self) -> tuple[bytes, ...]:
        """Addresses of the acting accounts."""
        return tuple(account.address for account in self.accounts)

    def block(self, block_hash: bytes) -> Block | None:
        """A block of any branch."""
        built = self._built.get(block_hash)
        return built.block if built else None

    def at(self, number: int) -> Block | None:
        """The canonical block of this height."""
        return self._built[self._line[number]].block if 0 <= number < len(self._line) else None

    def is_canonical(self, block: Block) -> bool:
        """Whether the head descends from it."""
        return block.number < len(self._line) and self._line[block.number] == block.hash

    def world(self, block_hash: bytes) -> World | None:
        """State after a block; None where it is too old to be kept."""
        return self._worlds.get(block_hash)

    def locate(self, transaction_hash: bytes) -> tuple[Block, int] | None:
        """The canonical block and index of a transaction."""
        found = self._index.get(transaction_hash)
        return (self._built[found[0]].block, found[1]) if found else None

    def line(self, start: int = 0) -> Iterator[Built]:
        """Canonical blocks from height ``start`` upwards, with what they stored and forgot."""
        return (self._built[block_hash] for block_hash in tuple(self._line[start:]))

    def advance(self, count: int = 1) -> HeadChange:
        """Extend the head by ``count`` blocks, adopted together."""
        return self._adopt(self._grow(self.head, count, self._salt), ChangeKind.EXTEND)

    def reorg(self, depth: int, extra: int = 1) -> HeadChange:
        """Replace the last ``depth`` blocks by ``depth + extra`` others. Raises ConfigurationError below finality."""
        if depth < 1 or depth + extra < 1:
            raise ConfigurationError(
                f"a reorg of depth {depth} with {extra} more blocks replaces nothing", "Take a depth >= 1."
            )
        ancestor = self._ancestor(depth)
        self._salt += 1
        self._put_back(self._line[ancestor.number + 1 :])
        return self._adopt(self._grow(ancestor, depth + extra, self._salt), ChangeKind.REORG)

    def rewind(self, depth: int) -> HeadChange:
        """Make an ancestor the head again; the cut blocks stay known by hash."""
        return self._cut(depth, ChangeKind.REWIND)

    def silent_rewind(self, depth: int) -> HeadChange:
        """Set the head back and forget the cut blocks, as a node does whose database is set back."""
        change = self._cut(depth, ChangeKind.SILENT_REWIND)
        for block in change.removed:
            self._built.pop(block.hash, None)
            self._worlds.pop(block.hash, None)
        return change

    def switch(self, block_hash: bytes) -> HeadChange:
        """Make a known block of any branch the head. Raises ConfigurationError where it is unknown or below finality."""
        target = self.block(block_hash)
        if target is None:
            raise ConfigurationError(f"no block {block_hash.hex()}", "Switch to the hash of a block this chain has made.")
        branch: list[Built] = []
        while not self.is_canonical(target):
            built = self._built.get(target.hash)
            parent = self.block(target.header.parent)
            if built is None or parent is None:
                raise ConfigurationError(f"the branch of {block_hash.hex()} was dropped by a silent rewind")
            branch.append(built)
            target = parent
        self._check_final(target.number)
        self._put_back(self._line[target.number + 1 :])
        return self._adopt(tuple(reversed(branch)), ChangeKind.REORG if branch else ChangeKind.REWIND, target)

    def _start(self) -> None:
        world = genesis_world(self.agents)
        root = ordered_root([])
        header = Header(
            parent=ZERO_HASH, beneficiary=contract_address("beneficiary"), state_root=world.ledger.root(),
            transactions_root=root, receipts_root=root, bloom=bytes(256), number=0, gas_limit=self.rules.gas_limit,
            gas_used=0, timestamp=self.rules.genesis_time, extra=b"monmouth devchain",
            randao=blake3(b"%d" % self.rules.seed).digest(), base_fee=GENESIS_BASE_FEE, beacon_root=ZERO_HASH,
        )  # fmt: skip
        genesis = Block(header, (), ())
        self._built[genesis.hash] = Built(genesis, (), frozenset(), {})
        self._worlds[genesis.hash] = world
        self._line = [genesis.hash]

    def _grow(self, parent: Block, count: int, salt: int) -> tuple[Built, ...]:
        """``count`` blocks on ``parent``, kept but not canonical yet."""
        branch: list[Built] = []
        world = self._worlds[parent.hash]
        for _ in range(count):
            built, world = self._builder.build(parent, world, salt, self._waiting)
            parent = built.block
            self._built[parent.hash], self._worlds[parent.hash] = built, world
            branch.append(built)
        return tuple(branch)

    def _ancestor(self, depth: int) -> Block:
        number = self.head.number - depth
        self._check_final(number)
        return self._built[self._line[number]].block

    def _check_final(self, number: int) -> None:
        if number < self._final:
            raise ConfigurationError(
                f"block {self._final} is final; the head cannot leave it for {number}",
                f"Reorganise at most {self.head.number - self._final} blocks, or raise the finality depth.",
            )

    def _cut(self, depth: int, kind: ChangeKind) -> HeadChange:
        ancestor = self._ancestor(depth)
        self._put_back(self._line[ancestor.number + 1 :])
        self._salt += 1
        return self._adopt((), kind, ancestor)

    def _put_back(self, hashes: list[bytes]) -> None:
        """Transactions of removed blocks wait to be included again."""
        for block_hash in hashes:
            built = self._built[block_hash]
            for transaction in built.block.transactions:
                slot = self._waiting.setdefault(transaction.sender, {})
                slot[transaction.nonce] = (transaction, built.notes.get(transaction.hash))

    def _adopt(self, branch: tuple[Built, ...], kind: ChangeKind, ancestor: Block | None = None) -> HeadChange:
        """Make ``branch`` (on a canonical block) the end of the canonical line."""
        base = ancestor or self._built[branch[0].block.header.parent].block
        old = self.head.ref
        removed = tuple(self._built[h].block for h in self._line[base.number + 1 :])
        for block in removed:
            for transaction in block.transactions:
                self._index.pop(transaction.hash, None)
        del self._line[base.number + 1 :]
        for built in branch:
            self._line.append(built.block.hash)
            for index, transaction in enumerate(built.block.transactions):
                self._index[transaction.hash] = (built.block.hash, index)
        self._final = max(self._final, self.head.number - self.finality_depth)
        self._prune()
        if removed:
            self.reorg_log.append(ReorgEntry(kind, len(removed), old, self.head.ref, base.ref))
        return HeadChange(kind, removed, tuple(built.block for built in branch), base.ref)

    def _prune(self) -> None:
        """Drop states no change can need, and waiting transactions whose nonce is used on final ground."""
        for block_hash in [h for h in self._worlds if self._built[h].block.number < self._final]:
            del self._worlds[block_hash]
        nonce = self._worlds[self._line[self._final]].ledger.nonce
        for sender, slots in list(self._waiting.items()):
            kept = {n: item for n, item in slots.items() if n >= nonce(sender)}
            if kept:
                self._waiting[sender] = kept
            else:
                del self._waiting[sender]
