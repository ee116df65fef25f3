"""A chain as the block producer sees it: a node, an archive of files, or the development chain.

Assumes nothing of the far side: implementations check what they are told and raise SourceError for what cannot be true.
Invariants every implementation keeps: a ``Block`` it returns carries the hash that was asked for, its header hashes to that
hash, its transactions and logs are those of this block and no other; ``None`` means "I do not know this block", never "failed".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, TypeVar

from schemas.records import Access, Authorization, HeaderRecord, Log
from streams.core.block import BlockRef
from streams.errors import SourceChangedError, SourceError

T = TypeVar("T")
CHANGES = 4
"""How often another node may come to lead before a question is given up."""


class Transaction(TypedDict):
    """A transaction with its receipt: the fields of ``ChainTransaction`` that do not depend on the reader or the block."""

    index: int
    hash: bytes
    type: int
    sender: bytes
    to: bytes | None
    nonce: bytes
    value: bytes
    gas: int
    gas_price: bytes
    max_fee_per_gas: bytes | None
    max_priority_fee_per_gas: bytes | None
    max_fee_per_blob_gas: bytes | None
    input: bytes
    tx_chain_id: int | None
    access_list: list[Access]
    blob_versioned_hashes: list[bytes]
    authorization_list: list[Authorization]
    v: bytes
    r: bytes
    s: bytes
    status: int | None
    post_state_root: bytes | None
    gas_used: int
    cumulative_gas_used: int
    logs_bloom: bytes
    contract_address: bytes | None
    logs: list[Log]


@dataclass(frozen=True, slots=True)
class Block:
    """A whole block: its name, its header, its transactions in order."""

    ref: BlockRef
    header: HeaderRecord
    transactions: list[Transaction]


@dataclass(frozen=True, slots=True)
class Newest:
    """What a node says at one moment: which chain it serves, and the height and unix time of its newest block."""

    chain_id: int
    number: int
    timestamp: int


class NodeLook(Protocol):
    """Asks a node for its newest block, beside whoever follows it."""

    async def look(self) -> Newest:
        """Raises SourceError where the node does not answer, or with nonsense."""

    async def close(self) -> None:
        """Releases the connection."""


class ChainSource(Protocol):
    """Where blocks come from. Every method may raise SourceError; the caller tries again later."""

    @property
    def ended(self) -> bool:
        """Whether ``head`` will never change again: an archive read to its end. A node never says so."""

    @property
    def eager(self) -> bool:
        """Whether to ask again at once instead of waiting for a hint or the next poll: true for archives."""

    async def chain_id(self) -> int:
        """EIP-155 chain id."""

    async def genesis(self) -> bytes | None:
        """Hash of block 0; None if the source does not hold it."""

    async def earliest(self) -> int:
        """Lowest height the source can give: 0 for a node."""

    async def head(self) -> BlockRef:
        """The tip the source now believes in. An archive moves to its next head when asked."""

    async def final(self) -> BlockRef | None:
        """The newest final block the source knows of; None if it has no notion of finality."""

    async def syncing(self) -> bool:
        """Whether the source itself says that it is behind its network."""

    async def ref(self, block_hash: bytes) -> BlockRef | None:
        """Number and parent of the block of this hash, canonical or not."""

    async def canonical(self, numbers: Sequence[int]) -> list[BlockRef | None]:
        """The blocks the source now believes canonical at these heights, in the order asked for."""

    async def blocks(self, hashes: Sequence[bytes]) -> list[Block | None]:
        """Whole blocks by hash, in the order asked for."""

    async def span(self, first: int, last: int) -> list[Block]:
        """Whole canonical blocks ``first``..``last`` (inclusive), oldest first; shorter if the chain ends before ``last``.

        They need not link, if the source changed its mind while they were read: the caller checks.
        """

    def hints(self) -> AsyncIterator[None]:
        """Yields when the head may have changed; ends or raises SourceError when the connection is lost. Not to be believed."""

    async def close(self) -> None:
        """Releases connections and files; safe to call twice."""


async def from_one_node(source: ChainSource, chain_id: int | None, ask: Callable[[], Awaitable[T]]) -> T:
    """What ``ask`` finds out, all of it from one node: it is asked again where another one came to lead meanwhile.

    ``chain_id``: of the chain it is about; None for that of the first node. Raises SourceError, also where a node that came to
    lead serves another chain.
    """
    for _ in range(CHANGES):
        try:
            served = await source.chain_id()
            if chain_id is not None and served != chain_id:
                raise SourceError(f"the node that answers now is of chain {served}, not {chain_id}", "See chain.rpc_urls.")
            chain_id = served
            return await ask()
        except SourceChangedError:
            continue
    return await ask()
