"""What a budget of tokens takes of the memories found, and how that is handed out.

Of a question's answers all that fit are taken, best first; of a walk the newest up to the first that does not fit, so that the
next answer can go on there. A text made of all items is measured whole. Tokens are counted a few texts at a time, so that other
questions have their turns at the model, and only while another text may be taken.
Invariant: what is handed out never has more tokens than the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.retrieval.ranked import Ranked
from streams.serving.addresses import to_hex
from streams.serving.context.budget import unbroken, within_budget
from streams.serving.context.history import Place
from streams.serving.context.order import arranged
from streams.serving.context.render import block_of, rendered, source_of
from streams.serving.context.request import ContextRequest
from streams.serving.vectors import QueryVectors

AT_ONCE = 1 << 16
"""Characters after which another question has its turn at the tokenizer."""
PASSED_OVER = 1 << 22
"""Characters of texts that did not fit: a question's answers behind those are left out uncounted."""


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates, best (of a walk: newest) first. ``end``, ``more``: of the window behind which a walk goes on."""

    ranked: list[Ranked]
    walking: bool
    not_text: int = 0
    end: Place | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A candidate with the text that is handed out. ``tokens``: of it, or of about its part of the whole text.

    ``place``: among all, best first: of a question's answers as they were ranked, of a walk by score.
    """

    found: Ranked
    place: float
    text: str
    tokens: int
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """What fits, in the order asked for. ``tokens``: of all of it; ``next``: where a walk goes on, None at its end."""

    pieces: list[Piece]
    tokens: int
    over_budget: int
    prompt: str | None = None
    next: Place | None = None


class Assembler:
    """Chooses and renders with the model's own tokenizer."""

    def __init__(self, vectors: QueryVectors) -> None:
        self._vectors = vectors

    async def choose(self, request: ContextRequest, found: Found, budget: int) -> Chosen:
        """The choice. Raises UnavailableError if too many wait for the tokenizer."""
        pieces = await self._pieces(request, found, budget)
        tokens = [piece.tokens for piece in pieces]
        if found.walking:
            taken = unbroken(tokens, budget)
            kept, rest = pieces[:taken], pieces[taken:]
            spent = budget if kept else 0
        else:
            fitting = set(within_budget(tokens, budget))
            kept = [piece for place, piece in enumerate(pieces) if place in fitting]
            rest = [piece for place, piece in enumerate(pieces) if place not in fitting]
            spent = sum(piece.tokens for piece in kept)
        if rest and request.truncate:
            kept += await self._cut(request, rest[0], budget - spent)
        kept, prompt, total = await self._told(request, kept, budget)
        if not found.walking:
            return Chosen(_arranged(request, kept), total, len(found.ranked) - len(kept), prompt)
        passed = 1 if pieces and not kept else 0  # alone too long: the walk must not stand still in front of it
        return Chosen(_arranged(request, kept), total, passed, prompt, _next(found, len(kept) + passed))

    async def _pieces(self, request: ContextRequest, found: Found, budget: int) -> list[Piece]:
        """The candidates as far as any may be taken; of a walk the first that does not fit too."""
        pieces: list[Piece] = []
        for batch in _batches(found.ranked):
            counts = await self._counts(request, batch, len(pieces))
            for c, tokens in zip(batch, counts, strict=True):
                pieces.append(Piece(c, -c.score if found.walking else len(pieces), c.text, tokens))
            if _done(pieces, found.walking, budget):
                break
        return pieces

    async def _counts(self, request: ContextRequest, batch: Sequence[Ranked], before: int) -> list[int]:
        if request.render is None:
            return await self._vectors.count_tokens([c.text for c in batch])
        return await self._vectors.measure([_shown(request, n, c, c.text) for n, c in enumerate(batch, before + 1)])

    async def _cut(self, request: ContextRequest, piece: Piece, left: int) -> list[Piece]:
        """The piece shortened to ``left``, if something remains of it."""
        (bare,) = await self._vectors.measure([piece.text])
        limit = left - max(0, piece.tokens - bare)
        text = await self._vectors.cut(piece.text, limit) if limit > 0 else ""
        if not text.strip():
            return []
        (tokens,) = await self._vectors.measure([text if request.render is None else _shown(request, 1, piece.found, text)])
        return [Piece(piece.found, piece.place, text, tokens, truncated=True)] if tokens <= left else []

    async def _told(self, request: ContextRequest, kept: list[Piece], budget: int) -> tuple[list[Piece], str | None, int]:
        """What stays if all is one text: the last chosen leave until the whole fits."""
        if request.render is None:
            return kept, None, sum(piece.tokens for piece in kept)
        while kept:
            prompt = _prompt(request, _arranged(request, kept))
            (total,) = await self._vectors.measure([prompt])
            if total <= budget:
                return kept, prompt, total
            kept = _without(kept, total - budget)
        return [], "", 0


def _batches(ranked: Sequence[Ranked]) -> Iterator[list[Ranked]]:
    """In turn, each ending with the text that makes it ``AT_ONCE`` characters."""
    batch: list[Ranked] = []
    size = 0
    for candidate in ranked:
        batch.append(candidate)
        size += len(candidate.text)
        if size >= AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _done(pieces: Sequence[Piece], walking: bool, budget: int) -> bool:
    """Whether nothing behind these is taken."""
    tokens = [piece.tokens for piece in pieces]
    if walking:
        return unbroken(tokens, budget) < len(pieces)
    fitting = set(within_budget(tokens, budget))
    passed = sum(len(piece.text) for place, piece in enumerate(pieces) if place not in fitting)
    return passed >= PASSED_OVER or sum(tokens[place] for place in fitting) >= budget


def _without(kept: list[Piece], tokens: int) -> list[Piece]:
    """All but so many of the last that they have about ``tokens``; one at least."""
    stay = len(kept)
    while stay and tokens > 0:
        stay -= 1
        tokens -= kept[stay].tokens
    return kept[:stay]


def _next(found: Found, done: int) -> Place | None:
    if done >= len(found.ranked):
        return found.end if found.more else None
    last = found.ranked[done - 1].memory
    return Place(last["timestamp"], last["id"])


def _arranged(request: ContextRequest, pieces: Sequence[Piece]) -> list[Piece]:
    best = sorted(pieces, key=lambda piece: piece.place)  # stable: equals stay as they were
    return arranged(best, request.order, lambda piece: (piece.found.memory["timestamp"], piece.found.memory["id"]))


def _shown(request: ContextRequest, number: int, found: Ranked, text: str) -> str:
    """About what one item adds to the whole."""
    block = block_of(number, text)
    return block if request.render == "plain" else f"{block}\n{_source(number, found)}"


def _prompt(request: ContextRequest, pieces: Sequence[Piece]) -> str:
    cited = request.render == "cited"
    sources = [_source(number, piece.found) for number, piece in enumerate(pieces, 1)] if cited else []
    return rendered([piece.text for piece in pieces], sources)


def _source(number: int, found: Ranked) -> str:
    block, transaction = found.memory["block"], found.memory["transaction"]
    return source_of(
        number,
        None if block is None else block["number"],
        None if transaction is None else to_hex(transaction),
        to_hex(found.memory["id"]),
    )
