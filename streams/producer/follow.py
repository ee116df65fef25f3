"""Following a source: asks it what is needed, and returns the next change of the chain, or None if there is nothing to do.

Assumes the source checked each block; believes nothing else of it. Invariants: a change returned always connects to the view
given; a block it calls final is on the chain of the answer that says so; a source that lags, is out of step with itself or
moves on while it is read leads to None, never to an undo; where another node takes over, nothing the former one said counts
of it; one that is another chain, or lost what was final, raises
ChainMismatchError, never an undo.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from streams.core.block import BlockRef
from streams.core.forkview import ForkView, finalize, grow, reorg, rewind
from streams.errors import Category, MonmouthError, Severity, SourceChangedError
from streams.ports.chain import Block, ChainSource
from streams.producer import metrics
from streams.producer.plan import Advance, RewindWatch, Standing, extension, finality, settled, standing
from streams.settings import ChainSettings

log = logging.getLogger(__name__)
WALK = 256
"""New blocks taken over at once after a fork; the rest follows as an extension."""
Older = Callable[[ForkView], Awaitable[ForkView]]
HINT = (
    "If the node was reset or replaced, give its chain a topic prefix of its own (kafka.prefix) or start it with its old data."
)


class ChainMismatchError(MonmouthError):
    """The source is not the chain in the log any more: another chain id, genesis, or finalized history. Needs a person."""

    category = Category.EXTERNAL
    severity = Severity.CRITICAL


class Follower:
    """Compares one source with the view of the log. ``older`` reads the view further back; nothing above ``until`` is taken."""

    def __init__(
        self, source: ChainSource, settings: ChainSettings, chain_id: int, older: Older, until: int | None = None
    ) -> None:
        self._source = source
        self._settings = settings
        self._chain_id = chain_id
        self._older = older
        self._watch = RewindWatch()
        self._doubts = 0
        self._unknown = 0
        self._served = b""
        self._genesis: bytes | None = None
        self._first: BlockRef | None = None
        self._until = until

    @property
    def doubting(self) -> bool:
        """Whether the last answer wanted what takes several polls to believe: the next ones must not come in a burst."""
        return self._watch.polls > 0 or self._doubts > 0 or self._unknown > 0

    async def check_identity(self, first: BlockRef | None) -> None:
        """Raises ChainMismatchError if the source is another chain than before, or than the log that begins with ``first``."""
        self._first = first
        try:
            await self._identified(first)
        except SourceChangedError:
            self._forget()
            raise

    async def _identified(self, first: BlockRef | None) -> None:
        chain_id = await self._source.chain_id()
        if chain_id != self._chain_id:
            raise ChainMismatchError(f"the node is chain {chain_id}, the log is chain {self._chain_id}", HINT)
        genesis = await self._source.genesis()
        if self._genesis is not None and genesis != self._genesis:
            raise ChainMismatchError("the node has another genesis block than before", HINT)
        self._genesis = genesis
        if first is None:
            return
        (now,) = await self._source.canonical([first.number])
        if now is not None and now.hash != first.hash:
            raise ChainMismatchError(f"the node has {now} where the log begins with {first}", HINT)

    async def next(self, view: ForkView) -> Advance | None:
        """The next change. Raises SourceError if the source is of no use now, ChainMismatchError if it is the wrong one.

        That a final block is gone takes as many polls in a row as a rewind does: one answer may be a straggler's.
        """
        doubts, self._doubts = self._doubts + 1, 0
        try:
            advance = await self._change(view)
        except SourceChangedError:
            self._forget()
            raise
        if advance is None or advance.undo is None or not advance.undo.below_final or self._source.eager:
            return advance
        self._doubts = max(doubts, self._watch.polls)
        if self._doubts >= self._settings.rewind_confirmations:
            return advance
        log.warning("the node left %s, which was final; %d more polls must agree", view.final, self._missing)
        return None

    def _forget(self) -> None:
        """Another node answers now: what the former one had, or said several times, is no word of this one."""
        self._watch, self._served = RewindWatch(), b""
        self._doubts = self._unknown = 0

    @property
    def _missing(self) -> int:
        return self._settings.rewind_confirmations - self._doubts

    async def _change(self, view: ForkView) -> Advance | None:
        head = await self._source.head()
        place = standing(view, head)
        if place in (Standing.ANCESTOR, Standing.LOWER):
            return await self._behind(view, head, place)
        self._watch = RewindWatch()
        metrics.LAGGING.set(0)
        tag = await self._source.final()
        if place is Standing.CURRENT:
            self._served = head.hash
            final = finality(view, tag, self._settings.finality_depth)
            return Advance(final=final) if final else None
        if view.tip is None or head.number > view.tip.number:
            return await self._ahead(view, head, tag)
        return await self._switch(view, head, tag)

    async def _ahead(self, view: ForkView, head: BlockRef, tag: BlockRef | None) -> Advance | None:
        """The head is above our tip: on our branch in most cases."""
        first = view.tip.number + 1 if view.tip else max(self._settings.start_block, await self._source.earliest())
        last = min(head.number, first + self._settings.batch_blocks - 1, head.number if self._until is None else self._until)
        if first > last:
            return None
        blocks = await self._source.span(first, last)
        usable = extension(view.tip, blocks)
        if usable:
            return await self._extend(view, usable, head, tag)
        return await self._switch(view, blocks[0].ref, tag) if blocks else None

    async def _extend(self, view: ForkView, blocks: list[Block], head: BlockRef, tag: BlockRef | None) -> Advance:
        depth, tip = self._settings.finality_depth, blocks[-1].ref
        final = finality(grow(view, [block.ref for block in blocks]), tag, depth)
        if tag is not None and tag.number > tip.number:
            final = await self._below(tag, tip)
        self._served = tip.hash
        return Advance(blocks=blocks, final=final, settled=settled(head, tag, depth))

    async def _below(self, tag: BlockRef, tip: BlockRef) -> BlockRef | None:
        """``tip``, if the source names it and the final block above it as one chain, in one answer."""
        return tip if await self._source.canonical([tip.number, tag.number]) == [tip, tag] else None

    async def _switch(self, view: ForkView, head: BlockRef, tag: BlockRef | None) -> Advance | None:
        """The head is on another branch: walk back by hash to a block we know, and take that branch."""
        view, path = await self._walk(view, head)
        if not path:
            return None
        path = path[:WALK]
        changed, undo = reorg(view, path)
        if not await self._same_chain(view):
            return None
        found = await self._source.blocks([ref.hash for ref in path])
        blocks = [block for block in found if block is not None]
        if [block.ref for block in blocks] != path:
            log.info("the source moved on while its branch at %s was read", path[0])
            return None
        self._served = path[-1].hash
        return Advance(undo, blocks, finality(changed, tag, self._settings.finality_depth), base=view)

    async def _walk(self, view: ForkView, head: BlockRef) -> tuple[ForkView, list[BlockRef]]:
        """Blocks from above a known one up to ``head``, oldest first; empty if the source lost the thread."""
        path = [head]
        while True:
            lowest = path[-1]
            known = view.at(lowest.number - 1)
            if known is not None and known.hash == lowest.parent:
                return view, path[::-1]
            if known is None and lowest.number <= view.blocks[0].number:
                further = await self._further(view, lowest)
                if further is None:
                    return view, []
                view = further
                continue
            parent = await self._source.ref(lowest.parent)
            if parent is None:
                log.info("the source does not know the parent of its block %s", lowest)
                await self._same_chain(view)
                return view, []
            if parent.number != lowest.number - 1:
                return view, []
            path.append(parent)

    async def _further(self, view: ForkView, lowest: BlockRef) -> ForkView | None:
        """The view further back; None if the source contradicts itself: our chain is its own, but its branch leads past it."""
        oldest = view.blocks[0].number
        before = tuple(ref for ref in (await self._older(view)).blocks if ref.number < oldest)
        if not before:
            if self._source.eager:
                raise ChainMismatchError(f"no block of the log is on the archive's branch, down to {lowest}", HINT)
            await self.check_identity(view.blocks[0])
            log.warning("the source led past all blocks of the log, down to %s, though its chain is the same", lowest)
            return None
        return grow(ForkView(before, view.final), view.blocks)

    async def _behind(self, view: ForkView, head: BlockRef, place: Standing) -> Advance | None:
        """The head is below our tip: a node that lags, or one that went back. Only patience tells them apart.

        Below the finality line with no other branch to show, it lost its newest states (a killed geth does) and will be given
        those blocks again; what is final is taken back for another branch only.
        """
        assert view.tip is not None
        metrics.LAGGING.set(view.tip.number - head.number)
        self._watch = self._watch.seen(head)
        if self._watch.polls < self._settings.rewind_confirmations:
            return None
        if head.number < view.blocks[0].number or await self._source.syncing():
            return None
        lost = place is Standing.ANCESTOR and view.final is not None and head.number < view.final.number
        if lost or not await self._had_tip(view.tip):
            if self._watch.polls == self._settings.rewind_confirmations:
                log.warning("the node is at %s, behind the log at %s; waiting for it to catch up", head, view.tip)
            return None
        if not await self._same_chain(view):
            return None
        log.warning("the node went back from %s to %s, %d polls agree", view.tip, head, self._watch.polls)
        if place is Standing.LOWER:
            return await self._switch(view, head, await self._source.final())
        return Advance(rewind(view, head)[1])

    async def _had_tip(self, tip: BlockRef) -> bool:
        """Whether this source once had our tip: if not, it lags and knows no better."""
        return self._served == tip.hash or await self._source.ref(tip.hash) is not None

    async def _same_chain(self, view: ForkView) -> bool:
        """Before anything is undone: same chain, same genesis, and what was final is known. Archives forget what is old.

        That it is not known is said by one node of several that lags or prunes as well, so it takes as many answers in a row as
        a rewind does. Raises ChainMismatchError.
        """
        if self._source.eager:
            return True
        await self.check_identity(self._first)
        if view.final is None or await self._source.ref(view.final.hash) is not None:
            self._unknown = 0
            return True
        self._unknown += 1
        if self._unknown >= self._settings.rewind_confirmations:
            raise ChainMismatchError(f"the node no longer knows block {view.final}, which was final", HINT)
        log.warning("the node does not know %s, which was final; asked %d times", view.final, self._unknown)
        return False


def applied(view: ForkView, advance: Advance) -> ForkView:
    """The view after a change."""
    view = advance.base or view
    if advance.undo is not None:
        view, _ = rewind(view, advance.undo.ancestor)
    view = grow(view, [block.ref for block in advance.blocks])
    return finalize(view, advance.final) if advance.final else view
