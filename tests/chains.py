"""Small real chains (headers that hash, signed transactions) and a source that follows a script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from coincurve import PrivateKey

from connectors.chain.trie import EMPTY_ROOT, keccak, ordered_root
from connectors.chain.verify import check_block, header_hash, receipt_rlp, recover_sender, signing_hash, transaction_rlp, uint
from schemas.records import HeaderRecord
from streams.core.block import ZERO_HASH, BlockRef
from streams.errors import SourceError
from streams.ports.chain import Block, Transaction

CHAIN_ID = 1337
KEYS = [PrivateKey(bytes([n]) * 32) for n in range(1, 6)]


def transaction(index: int, nonce: int, input_size: int = 4) -> Transaction:
    """A signed legacy transaction with its receipt."""
    tx: Transaction = {
        "index": index, "hash": b"", "type": 0, "sender": b"", "to": bytes([9]) * 20, "nonce": nonce.to_bytes(8, "big"),
        "value": uint(1000 + nonce), "gas": 21_000, "gas_price": uint(10), "max_fee_per_gas": None,
        "max_priority_fee_per_gas": None, "max_fee_per_blob_gas": None, "input": bytes(input_size), "tx_chain_id": CHAIN_ID,
        "access_list": [], "blob_versioned_hashes": [], "authorization_list": [], "v": uint(CHAIN_ID * 2 + 35), "r": b"",
        "s": b"", "status": 1, "post_state_root": None, "gas_used": 21_000, "cumulative_gas_used": 21_000 * (index + 1),
        "logs_bloom": bytes(256), "contract_address": None, "logs": [],
    }  # fmt: skip
    signature = KEYS[nonce % len(KEYS)].sign_recoverable(signing_hash(tx), hasher=None)
    tx["r"], tx["s"] = signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")
    tx["v"] = uint(CHAIN_ID * 2 + 35 + signature[64])
    tx["hash"] = keccak(transaction_rlp(tx))
    tx["sender"] = recover_sender(tx)
    return tx


def child(parent: BlockRef | None, salt: int = 0, transactions: int = 1, input_size: int = 4) -> Block:
    """A block on ``parent``; another ``salt`` gives another branch."""
    number = parent.number + 1 if parent else 0
    txs = [transaction(i, number * 100 + i, input_size) for i in range(transactions)]
    header: HeaderRecord = {
        "parent_hash": parent.hash if parent else ZERO_HASH, "ommers_hash": bytes(32), "beneficiary": bytes(20),
        "state_root": bytes(32), "transactions_root": ordered_root([transaction_rlp(tx) for tx in txs]),
        "receipts_root": ordered_root([receipt_rlp(tx) for tx in txs]), "logs_bloom": bytes(256), "difficulty": b"",
        "number": number, "gas_limit": 30_000_000, "gas_used": 21_000 * len(txs), "timestamp": 1_700_000_000 + 12 * number,
        "extra_data": uint(salt), "mix_hash": bytes(32), "nonce": bytes(8), "base_fee_per_gas": b"\x07",
        "withdrawals_root": EMPTY_ROOT, "blob_gas_used": None, "excess_blob_gas": None, "parent_beacon_block_root": None,
        "requests_hash": None,
    }  # fmt: skip
    return Block(BlockRef(number, header_hash(header), header["parent_hash"]), header, txs)


def chain(height: int, transactions: int = 1, salt: int = 0) -> list[Block]:
    """Blocks 0..height."""
    blocks: list[Block] = []
    for _ in range(height + 1):
        blocks.append(child(blocks[-1].ref if blocks else None, salt, transactions))
    return blocks


class ScriptedSource:
    """A node in memory: ``canonical_blocks`` is what it believes, ``orphans`` tells whether it keeps what it left."""

    ended = False
    eager = False

    def __init__(self, blocks: Sequence[Block], *, orphans: bool = True, chain_id: int = CHAIN_ID) -> None:
        self.canonical_blocks = list(blocks)
        self.known = {block.ref.hash: block for block in blocks}
        self.orphans = orphans
        self.id = chain_id
        self.tag: int | None = None
        self.is_syncing = False
        self.broken: list[str] = []
        self._salt = 0

    @property
    def head_ref(self) -> BlockRef:
        return self.canonical_blocks[-1].ref

    def at(self, number: int) -> BlockRef:
        return self.canonical_blocks[number].ref

    def grow(self, count: int, input_size: int = 4) -> None:
        for _ in range(count):
            block = child(self.head_ref, self._salt, input_size=input_size)
            self.canonical_blocks.append(block)
            self.known[block.ref.hash] = block

    def drop(self, count: int) -> None:
        for block in self.canonical_blocks[len(self.canonical_blocks) - count :]:
            if not self.orphans:
                del self.known[block.ref.hash]
        del self.canonical_blocks[len(self.canonical_blocks) - count :]

    def reorg(self, depth: int, new: int) -> None:
        self.drop(depth)
        self._salt += 1
        self.grow(new)

    def replace(self, blocks: Sequence[Block]) -> None:
        """The node was reset: it knows these blocks and no other."""
        self.canonical_blocks = list(blocks)
        self.known = {block.ref.hash: block for block in blocks}

    def _fail(self) -> None:
        if self.broken:
            raise SourceError(self.broken.pop(0))

    async def chain_id(self) -> int:
        return self.id

    async def genesis(self) -> bytes | None:
        return self.canonical_blocks[0].ref.hash

    async def earliest(self) -> int:
        return 0

    async def head(self) -> BlockRef:
        self._fail()
        return self.head_ref

    async def final(self) -> BlockRef | None:
        return None if self.tag is None else self.at(self.tag)

    async def syncing(self) -> bool:
        return self.is_syncing

    async def ref(self, block_hash: bytes) -> BlockRef | None:
        block = self.known.get(block_hash)
        return block.ref if block else None

    async def canonical(self, numbers: Sequence[int]) -> list[BlockRef | None]:
        return [self.at(number) if number <= self.head_ref.number else None for number in numbers]

    async def blocks(self, hashes: Sequence[bytes]) -> list[Block | None]:
        return [self.known.get(block_hash) for block_hash in hashes]

    async def span(self, first: int, last: int) -> list[Block]:
        found = self.canonical_blocks[first : last + 1]
        for block in found:
            check_block(block, "header")
        return found

    async def hints(self) -> AsyncIterator[None]:
        for _ in ():
            yield None

    async def close(self) -> None:
        """Nothing to release."""
