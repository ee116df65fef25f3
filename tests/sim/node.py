"""The simulated chain: a tree of blocks and the branch that is canonical now, and every block it ever called canonical.

Blocks are made of their parent and a salt, so a branch that comes back is the same branch. Nothing here hashes as a real chain
does: that blocks are what they claim is the connectors' duty, tested with them.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from blake3 import blake3

from schemas.defaults import plain_command
from schemas.records import HeaderRecord, MemoryCommand
from streams.agents.memory_facts import ASKED
from streams.core.block import ZERO_HASH, BlockRef
from streams.core.ids import chain_memory_id, content_id
from streams.ports.chain import Block, Transaction
from tests.chainlog import CHAIN_ID, address
from tests.sim.parameters import Parameters
from tests.toys import POISON
from tests.transactions import call_data

AGENTS = 5
STORE = "storeMemory(uint8 a,bytes b,uint16 c,string[] d)"
PLAIN: dict[str, Any] = {
    "type": 2, "value": b"\x01", "gas": 21_000, "gas_price": b"\x01", "max_fee_per_gas": b"\x02",
    "max_priority_fee_per_gas": b"\x01", "max_fee_per_blob_gas": None, "tx_chain_id": CHAIN_ID, "access_list": [],
    "blob_versioned_hashes": [], "authorization_list": [], "v": b"\x01", "r": b"\x01", "s": b"\x02", "post_state_root": None,
    "gas_used": 21_000, "logs_bloom": bytes(256), "contract_address": None, "logs": [],
}  # fmt: skip


class SimNode:
    """``branch``: canonical blocks, oldest first. ``versions``: what it was before, newest last.

    ``settled``: height of the highest block that was ever deep enough to be final. ``called_final``: by hash, since when some
    answer about finality holds the block.
    """

    def __init__(self, parameters: Parameters, random: Random) -> None:
        self._parameters = parameters
        self._random = random
        self._salt = 0
        self.known: dict[bytes, Block] = {}
        self.forgotten: set[bytes] = set()
        self.branch: tuple[Block, ...] = ()
        self.versions: list[tuple[Block, ...]] = []
        self.answers: list[tuple[float, str, BlockRef, bool]] = []
        self.settled = 0
        self.called_final: dict[bytes, float] = {}
        self.extend(parameters.blocks_at_start)

    @property
    def head(self) -> BlockRef:
        return self.branch[-1].ref

    def final(self, branch: tuple[Block, ...]) -> BlockRef | None:
        """What the node's tag says on ``branch``; None if it has none."""
        if self._parameters.finality != "tag":
            return None
        return branch[max(0, len(branch) - 1 - self._parameters.finality_depth)].ref

    def call_final(self, ref: BlockRef) -> None:
        """Notes that an answer calls this block final, and so all below it."""
        now, at = asyncio.get_running_loop().time(), ref
        while at.hash not in self.called_final:
            self.called_final[at.hash] = now
            if at.number == 0:
                return
            at = self.known[at.parent].ref

    def left_final(self, branch: tuple[Block, ...]) -> bool:
        """Whether ``branch`` parts from the one of now below what was called final."""
        at = min(self.settled, len(branch) - 1, len(self.branch) - 1)
        return branch[at] is not self.branch[at]

    def extend(self, count: int) -> None:
        blocks = list(self.branch)
        for _ in range(count):
            blocks.append(self._child(blocks[-1].ref if blocks else None))
        self._become(tuple(blocks))

    def rewind(self, depth: int) -> None:
        """Goes back without a word."""
        self._become(self.branch[: max(1, len(self.branch) - depth)])

    def reorg(self, depth: int, new: int) -> None:
        keep = max(1, len(self.branch) - depth)
        self._salt += 1
        blocks = list(self.branch[:keep])
        for _ in range(max(1, new)):
            blocks.append(self._child(blocks[-1].ref))
        self._become(tuple(blocks))

    def flip(self) -> None:
        """Back to the branch before this one, which is then the one before."""
        if self.versions:
            self._become(self.versions[-1])

    def _become(self, branch: tuple[Block, ...]) -> None:
        if self.branch:
            self.versions.append(self.branch)
            del self.versions[:-8]
        for block in branch:
            self.forgotten.discard(block.ref.hash)
        if not self._parameters.keeps_orphans:
            standing = {block.ref.hash for block in branch}
            self.forgotten |= {block.ref.hash for block in self.branch if block.ref.hash not in standing}
        self.branch = branch
        deep = len(branch) - 1 - self._parameters.finality_depth
        if deep >= 0 and self._parameters.finality != "none":
            self.settled = max(self.settled, deep)
        if deep >= 0 and self._parameters.finality == "depth":
            self.call_final(branch[deep].ref)

    def _child(self, parent: BlockRef | None) -> Block:
        number = parent.number + 1 if parent else 0
        parent_hash = parent.hash if parent else ZERO_HASH
        block_hash = content_id("sim/block", number, parent_hash, self._salt)
        if block_hash not in self.known:
            ref = BlockRef(number, block_hash, parent_hash)
            count = self._random.randint(0, self._parameters.transactions)
            txs = [self._transaction(ref, index) for index in range(count)]
            self.known[block_hash] = Block(ref, header(ref), txs)
        return self.known[block_hash]

    def _transaction(self, ref: BlockRef, index: int) -> Transaction:
        random = self._random
        sender, to = address(random.randrange(AGENTS)), address(random.randrange(AGENTS + 2))
        poisoned = self._parameters.agents != "memory" and random.random() < self._parameters.poison
        return PLAIN | {
            "index": index, "hash": content_id("sim/tx", ref.hash, index), "sender": sender, "to": to,
            "nonce": index.to_bytes(8, "big"), "input": POISON if poisoned else self._input(sender),
            "status": random.choice([0, 1, 1, 1]), "cumulative_gas_used": 21_000 * (index + 1),
        }  # type: ignore[return-value] # fmt: skip

    def _input(self, sender: bytes) -> bytes:
        if self._parameters.agents != "memory":
            return b""
        match self._random.randrange(4):
            case 0:
                return call_data("learn(string a)", f"lesson {self._random.randrange(100)}")
            case 1:
                return call_data(STORE, self._random.randrange(4), b"note %d" % self._random.randrange(100), 100, ["t"])
            case 2:
                return call_data("forgetMemory(bytes32 a)", self.memory_of(sender))
        return b""

    def memory_of(self, agent: bytes) -> bytes:
        """Id of a memory that some block, on whatever branch, may have left with the agent."""
        block = self._random.choice(list(self.known.values())) if self.known else None
        mine = [tx["index"] for tx in block.transactions if tx["sender"] == agent] if block else []
        if block is None or not mine:
            return bytes(32)
        return chain_memory_id(CHAIN_ID, block.ref.hash, self._random.choice(mine), agent, ASKED)


def header(ref: BlockRef) -> HeaderRecord:
    zero = bytes(32)
    return {
        "parent_hash": ref.parent, "ommers_hash": zero, "beneficiary": bytes(20), "state_root": zero, "transactions_root": zero,
        "receipts_root": zero, "logs_bloom": bytes(256), "difficulty": b"", "number": ref.number, "gas_limit": 30_000_000,
        "gas_used": 0, "timestamp": 1_700_000_000 + 12 * ref.number, "extra_data": b"", "mix_hash": zero, "nonce": bytes(8),
        "base_fee_per_gas": b"\x07", "withdrawals_root": zero, "blob_gas_used": None, "excess_blob_gas": None,
        "parent_beacon_block_root": None, "requests_hash": None,
    }  # fmt: skip


def command(agent: bytes, number: int, random: Random, target: bytes) -> MemoryCommand:
    """A STORE, or a FORGET of ``target``."""
    forget = random.random() < 0.5
    name = blake3(b"command %d" % number).digest(length=16)
    return {
        **plain_command(name, agent, "FORGET" if forget else "STORE", 1_700_000_000),
        "memory_id": target if forget else None,
        "type": None if forget else "WORKING",
        "content": b"" if forget else b"note",
    }
