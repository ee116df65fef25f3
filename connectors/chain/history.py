"""Archives as a chain source: blocks in arrival order, turned into a head that moves, forks and all.

Assumes the archive lists a parent before its children. Fork choice is total difficulty (a block without one, after the merge,
weighs 1, so that the longest branch wins). Invariants: every head that a fork choice would have shown is shown, so that a
sibling that was head for a moment is committed and undone; answers of ``canonical`` and ``span`` fit the head last shown.
Memory: refs and loaders of the last ``WINDOW`` heights, never the blocks themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass

from connectors.chain.verify import Level, check_block
from streams.core.block import BlockRef
from streams.core.forkchoice import Event, ForkChoice, Outcome
from streams.errors import SourceError
from streams.ports.chain import Block

WINDOW = 8_192
RUN = 256
PATIENCE = 3


@dataclass(frozen=True, slots=True)
class Arrival:
    """A block of the archive: its name, its difficulty, and how to read the rest. ``total``: difficulty with all before it."""

    ref: BlockRef
    difficulty: int
    load: Callable[[], Block]
    total: int | None = None


class HistorySource:
    """A ``ChainSource`` over ``arrivals``. ``level``: what is checked of each block before it is handed out."""

    eager = True

    def __init__(self, arrivals: Iterator[Arrival], chain_id: int, level: Level = "roots") -> None:
        self._arrivals = arrivals
        self._chain_id = chain_id
        self._level = level
        self._choice: ForkChoice | None = None
        self._head: BlockRef | None = None
        self._genesis: bytes | None = None
        self._pending: Event | None = None
        self._loaders: dict[bytes, Callable[[], Block]] = {}
        self._canonical: dict[int, BlockRef] = {}
        self._asked = 0
        self._first = 0
        self.ended = False

    async def chain_id(self) -> int:
        return self._chain_id

    async def genesis(self) -> bytes | None:
        if self._head is None:
            self._start()
        return self._genesis

    async def earliest(self) -> int:
        if self._head is None:
            self._start()
        return self._first

    async def head(self) -> BlockRef:
        """The next head: up to ``RUN`` blocks on, or the other branch of a fork. Raises SourceError for a gap.

        A head stays until its block was read, so that a reader in small steps sees it; or until it was asked for in vain.
        """
        self._asked += 1
        if self._head is None:
            self._start()
        elif self._asked < PATIENCE:
            return self._head
        else:
            self._asked = 0
            self._move()
        assert self._head is not None
        return self._head

    def _start(self) -> None:
        first = next(self._arrivals, None)
        if first is None:
            raise SourceError("the archive holds no block", "Give a folder with .era1, .json(.gz) or .jsonl(.gz) files.")
        self._choice = ForkChoice.from_genesis(first.ref, first.total or max(first.difficulty, 1))
        self._loaders[first.ref.hash] = first.load
        self._head = self._canonical[first.ref.number] = first.ref
        self._first = first.ref.number
        self._genesis = first.ref.hash if self._first == 0 else None

    def _move(self) -> None:
        assert self._choice is not None
        if self._pending is not None:
            self._show(self._pending)
            self._pending = None
            return
        shown = 0
        while shown < RUN:
            arrival = next(self._arrivals, None)
            if arrival is None:
                self.ended = True
                break
            self._loaders[arrival.ref.hash] = arrival.load
            event = self._choice.feed(arrival.ref, max(arrival.difficulty, 1))
            if event.outcome in (Outcome.ORPHAN, Outcome.INVALID):
                raise SourceError(
                    f"block {arrival.ref} of the archive does not follow from the blocks before it (head {self._head})",
                    "The archive has a gap; give each unbroken range of blocks as its own archive.",
                )
            if event.outcome is Outcome.REORG and shown:
                self._pending = event
                break
            self._show(event)
            shown += event.outcome is Outcome.COMMIT
            if event.outcome is Outcome.REORG:
                break
        self._forget()

    def _show(self, event: Event) -> None:
        if event.outcome is Outcome.REORG:
            for ref in event.old:
                self._canonical.pop(ref.number, None)
            self._canonical.update((ref.number, ref) for ref in event.new)
            self._head = event.block
        elif event.outcome is Outcome.COMMIT:
            self._canonical[event.block.number] = self._head = event.block

    def _forget(self) -> None:
        assert self._choice is not None
        assert self._head is not None
        if len(self._loaders) < 2 * WINDOW:
            return
        below = self._head.number - WINDOW
        for number in [n for n in self._canonical if n < below]:
            del self._canonical[number]
        self._choice.forget(below)
        self._loaders = {block_hash: load for block_hash, load in self._loaders.items() if block_hash in self._choice.refs}

    async def final(self) -> BlockRef | None:
        return None

    async def syncing(self) -> bool:
        return False

    async def ref(self, block_hash: bytes) -> BlockRef | None:
        return self._choice.refs.get(block_hash) if self._choice else None

    async def canonical(self, numbers: Sequence[int]) -> list[BlockRef | None]:
        return [self._canonical.get(number) for number in numbers]

    async def blocks(self, hashes: Sequence[bytes]) -> list[Block | None]:
        return [self._load(block_hash) for block_hash in hashes]

    async def span(self, first: int, last: int) -> list[Block]:
        refs = [self._canonical[number] for number in range(first, last + 1) if number in self._canonical]
        return [block for ref in refs if (block := self._load(ref.hash)) is not None]

    def _load(self, block_hash: bytes) -> Block | None:
        load = self._loaders.get(block_hash)
        if load is None:
            return None
        block = load()
        if block.ref.hash != block_hash:
            raise SourceError(f"the archive changed while it was read: expected block {block_hash.hex()}, found {block.ref}")
        check_block(block, self._level)
        self._asked = PATIENCE if self._head is not None and block_hash == self._head.hash else 0
        return block

    async def hints(self) -> AsyncIterator[None]:
        for _ in ():
            yield None

    async def close(self) -> None:
        """Nothing is held open between two reads."""
