"""Any EVM node as a chain source, or several: JSON-RPC over HTTP, ``newHeads`` over WebSocket as a hint.

Blocks are read by hash, or by number and then held to the hash they claim; receipts always by hash, since receipts by number
mix branches during a reorg. "The node knows this hash" does not mean canonical: geth serves orphans. Which of several nodes is
asked for what: ``nodes``.
Invariant: what does not check (``verify``) is refused with a SourceError; this module keeps no state a reorg could make stale.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from connectors.chain import heads
from connectors.chain.convert import block_ref, quantity, to_block
from connectors.chain.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    BatchRefusedError,
    Call,
    JsonRpc,
    RpcError,
    demand_private_login,
)
from connectors.chain.nodes import Nodes, connections
from connectors.chain.verify import Level, check_block
from streams.core.balance import Strategy
from streams.core.block import BlockRef
from streams.errors import SourceChangedError, SourceError
from streams.ports.chain import Block

log = logging.getLogger(__name__)
T = TypeVar("T")
CHUNK = 10
"""Blocks a JSON-RPC batch: more gains nothing and runs into the size limits of nodes."""
IN_FLIGHT = 4
UNSUPPORTED = (METHOD_NOT_FOUND, INVALID_PARAMS)
BLOCK_RECEIPTS = "eth_getBlockReceipts"


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _of_receipts(chunk: list[Call]) -> bool:
    return chunk[0][0] == BLOCK_RECEIPTS


class RpcSource:
    """A ``ChainSource``. ``level``: what is checked of every block before it is handed out. ``others``: more of its nodes."""

    ended = False
    eager = False

    def __init__(
        self,
        url: str,
        ws_url: str | None = None,
        *,
        level: Level = "roots",
        rpc: JsonRpc | None = None,
        allow_unencrypted: bool = False,
        others: Sequence[str] = (),
        strategy: Strategy = "adaptive",
        weights: Sequence[float] = (),
    ) -> None:
        """``allow_unencrypted``: a login in an address may go to another machine in the clear."""
        first, *more = connections([url, *others], allow_unencrypted=allow_unencrypted)
        self._nodes = Nodes([rpc or first, *more], strategy, weights)
        self._several = bool(more)
        if ws_url is not None and not allow_unencrypted:
            demand_private_login(ws_url)
        self._ws_url = ws_url
        self._level = level
        self._without_receipts: set[JsonRpc] = set()
        self._slots = asyncio.Semaphore(IN_FLIGHT)

    async def chain_id(self) -> int:
        return self._quantity("eth_chainId", await self._call("eth_chainId"))

    async def _call(self, method: str, *params: Any) -> Any:
        return await self._nodes.leading(lambda node: node.call(method, *params))

    @property
    def _name(self) -> str:
        return self._nodes.lead.name

    def _quantity(self, method: str, answer: Any) -> int:
        try:
            return quantity(answer)
        except (TypeError, ValueError):
            raise SourceError(f"{self._name} answered {method} with {str(answer)[:80]!r}") from None

    async def genesis(self) -> bytes | None:
        (first,) = await self.canonical([0])
        return first.hash if first else None

    async def earliest(self) -> int:
        return 0

    async def head(self) -> BlockRef:
        answer = await self._call("eth_getBlockByNumber", "latest", False)
        if answer is None:
            raise SourceError(f"{self._name} has no latest block yet")
        return block_ref(answer)

    async def final(self) -> BlockRef | None:
        try:
            answer = await self._call("eth_getBlockByNumber", "finalized", False)
        except RpcError:  # a chain without the tag; geth says so with an error, others with null
            return None
        return block_ref(answer) if answer is not None else None

    async def syncing(self) -> bool:
        try:
            return await self._call("eth_syncing") is not False
        except RpcError:
            return False

    async def ref(self, block_hash: bytes) -> BlockRef | None:
        answer = await self._call("eth_getBlockByHash", _hex(block_hash), False)
        return None if answer is None else self._named(answer, block_hash)

    def _named(self, answer: Any, block_hash: bytes) -> BlockRef:
        ref = block_ref(answer)
        if ref.hash != block_hash:
            raise SourceError(f"{self._name} was asked for block {block_hash.hex()} and sent {ref.hash.hex()}")
        return ref

    async def canonical(self, numbers: Sequence[int]) -> list[BlockRef | None]:
        answers = await self._batches([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        return [None if a is None else self._numbered(a, n) for n, a in zip(numbers, answers, strict=True)]

    def _numbered(self, answer: Any, number: int) -> BlockRef:
        ref = block_ref(answer)
        if ref.number != number:
            raise SourceError(f"{self._name} was asked for block {number} and sent {ref.number}")
        return ref

    async def blocks(self, hashes: Sequence[bytes]) -> list[Block | None]:
        return await self._believed(partial(self._blocks, hashes))

    async def _believed(self, read: Callable[[bool], Awaitable[T]]) -> T:
        """What was read, from any node; from the one that leads alone where the others' answers are no good."""
        if self._several:
            try:
                return await read(True)
            except SourceChangedError:
                raise
            except SourceError as error:
                log.warning("%s; %s is asked alone", error.message, self._name)
        return await read(False)

    async def _blocks(self, hashes: Sequence[bytes], spread: bool) -> list[Block | None]:
        calls: list[Call] = [("eth_getBlockByHash", [_hex(block_hash), True]) for block_hash in hashes]
        bodies = await self._batches(calls, spread=spread)
        for block_hash, body in zip(hashes, bodies, strict=True):
            if body is not None:
                self._named(body, block_hash)
        found = iter(await self._whole([body for body in bodies if body is not None], spread))
        return [None if body is None else next(found) for body in bodies]

    async def span(self, first: int, last: int) -> list[Block]:
        numbers = range(first, last + 1)
        bodies = await self._batches([("eth_getBlockByNumber", [hex(number), True]) for number in numbers])
        present = []
        for number, body in zip(numbers, bodies, strict=True):
            if body is None:
                break
            self._numbered(body, number)
            present.append(body)
        return await self._believed(partial(self._whole, present))

    async def _batches(self, calls: list[Call], *, spread: bool = False) -> list[Any]:
        """Results of any number of calls, a few batches at a time. ``spread``: any node may be asked.

        Raises the first RpcError among them.
        """

        async def one(chunk: list[Call]) -> list[Any]:
            async with self._slots:
                if spread:
                    return await self._nodes.spread(chunk, self._split, self._without_receipts if _of_receipts(chunk) else ())
                return await self._nodes.leading(lambda node: self._split(node, chunk))

        chunks = [calls[i : i + CHUNK] for i in range(0, len(calls), CHUNK)]
        asking = [asyncio.create_task(one(chunk)) for chunk in chunks]
        try:
            results = [result for part in await asyncio.gather(*asking) for result in part]
        finally:  # what is left of a read that failed would be asked for nobody, and of whoever leads next
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        for result in results:
            if isinstance(result, RpcError):
                raise result
        return results

    async def _split(self, node: JsonRpc, chunk: list[Call]) -> list[Any]:
        """One batch, or as many smaller ones as it takes: nodes limit the size of an answer, and blocks differ in size."""
        try:
            results = await node.batch(chunk)
        except BatchRefusedError:
            if len(chunk) == 1:
                raise
            half = len(chunk) // 2
            return [*await self._split(node, chunk[:half]), *await self._split(node, chunk[half:])]
        for index, result in enumerate(results):
            if isinstance(result, RpcError) and result.code not in UNSUPPORTED and len(chunk) > 1:
                results[index] = (await node.batch([chunk[index]]))[0]
            elif isinstance(result, RpcError) and result.code in UNSUPPORTED and _of_receipts(chunk):
                self._note_without_receipts(node)
        return results

    async def _whole(self, bodies: list[Any], spread: bool) -> list[Block]:
        """Adds the receipts and checks each block."""
        receipts = await self._receipts(bodies, spread)
        blocks: list[Block] = []
        for body, of_block in zip(bodies, receipts, strict=True):
            block = to_block(body, of_block)
            check_block(block, self._level)
            blocks.append(block)
            await asyncio.sleep(0)  # checking takes milliseconds; heartbeats must go on
        return blocks

    def _note_without_receipts(self, node: JsonRpc) -> None:
        if node not in self._without_receipts:
            log.warning("%s has no %s by hash; it is not asked for that again", node.name, BLOCK_RECEIPTS)
            self._without_receipts.add(node)

    def _may_have_receipts(self, spread: bool) -> bool:
        """Whether a node that would be asked for the receipts of a whole block may have them: others may, or later ones."""
        lacking = self._without_receipts
        return not self._nodes.all_in(lacking) if spread else self._nodes.lead not in lacking

    async def _receipts(self, bodies: list[Any], spread: bool) -> list[Any]:
        if self._may_have_receipts(spread):
            try:
                return await self._batches([(BLOCK_RECEIPTS, [body["hash"]]) for body in bodies], spread=spread)
            except RpcError as error:
                if error.code not in UNSUPPORTED:
                    raise
        try:
            wanted = [[tx["hash"] for tx in body["transactions"]] for body in bodies]
        except (KeyError, TypeError):
            raise SourceError(f"{self._name} sent a block without full transactions") from None
        flat = iter(await self._batches([("eth_getTransactionReceipt", [key]) for keys in wanted for key in keys]))
        return [[next(flat) for _ in keys] for keys in wanted]

    async def hints(self) -> AsyncIterator[None]:
        if self._ws_url:
            async for _ in heads.hints(self._ws_url):
                yield None

    async def close(self) -> None:
        await self._nodes.close()
