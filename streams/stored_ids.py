"""Which memories of an agent a store has rows of, live or not.

Assumes nothing of what is written meanwhile: a row that came or went since the walk began may be named or not.
Invariant: every row that was there all the time is named; of a store that cannot say what changed, every live one.
"""

from __future__ import annotations

from streams.core.presence import everything
from streams.errors import StoreError
from streams.ports.stores import Canonical, MemoryStore

PAGE = 1_000
WALKS = 8
"""Most walks through all rows: each begins where the store no longer knows what changed since the page before."""


class UnsettledError(StoreError):
    """So much was written that no walk came to its end."""


async def stored_ids(store: MemoryStore, agent: bytes, canonical: Canonical = everything) -> list[bytes]:
    """Sorted. ``canonical``: what counts as live, where only those can be named. Raises UnsettledError, StoreError."""
    page = await store.changes(agent, None, PAGE)
    if page is None:
        return sorted(await store.live_ids(agent, canonical))
    ids, walks = {*page.ids}, 1
    while page.more:
        following = await store.changes(agent, page.version, PAGE)
        if following is None or (following.start_over and walks == WALKS):
            said = f"memories of 0x{agent.hex()} changed too much while they were read"
            raise UnsettledError(said, "Try again when less is written.")
        page, walks = following, walks + following.start_over
        ids.update(page.ids)
    return sorted(ids)
