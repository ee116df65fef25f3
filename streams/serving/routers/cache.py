"""State of the gateway's cache of contexts."""

from __future__ import annotations

from fastapi import APIRouter

from streams.serving.services import Served
from streams.serving.wire import CacheState, TopQuestion

TOP = 10

router = APIRouter(prefix="/v1/cache", tags=["state"])


@router.get("", operation_id="cache")
async def cache(served: Served) -> CacheState:
    """Hit rate, sizes, and how often the most frequent questions were asked; never what was asked, or by whom."""
    kept = served.finder.cache
    if kept is None:
        return CacheState(enabled=False)
    return CacheState(
        enabled=True,
        entries=len(kept),
        hot_entries=kept.hot,
        bytes=kept.l1_bytes + kept.l2_bytes,
        hot_bytes=kept.l1_bytes,
        limit_bytes=kept.limits.size,
        ttl_seconds=kept.limits.ttl,
        hit_rate=kept.hit_rate,
        events={event.value: count for event, count in sorted(kept.counts.items())},
        top=[TopQuestion(name=f"{name:016x}", askings=askings) for name, askings in kept.top(TOP)],
    )
