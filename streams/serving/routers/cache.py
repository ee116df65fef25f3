"""State of the gateway's cache of contexts."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from streams.serving.cache.state import cache_state
from streams.serving.faults import BadRequestError
from streams.serving.services import Served
from streams.serving.wire import CacheSize, CacheState
from streams.settings import CacheSettings

router = APIRouter(prefix="/v1/cache", tags=["state"])


@router.get("", operation_id="cache")
async def cache(served: Served) -> CacheState:
    """Hit rate, sizes, and how often the most frequent questions were asked; never what was asked, or by whom."""
    return cache_state(served.finder)


@router.put("", operation_id="resize_cache")
async def resize_cache(wanted: CacheSize, served: Served) -> CacheState:
    """Gives the cache another size until the gateway starts again; answers that have no room any more leave at once."""
    kept = served.finder.cache
    if kept is None:
        raise BadRequestError("this gateway keeps no answers", "cache.enabled turns the cache on when it starts.")
    said = CacheSettings(size_mb=wanted.size_mb, l1_entries=wanted.l1_entries)
    kept.resize(replace(kept.limits, size=said.size_mb << 20, hot=said.hot))
    return cache_state(served.finder)
