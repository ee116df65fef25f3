"""State of the gateway's cache of contexts."""

from __future__ import annotations

from fastapi import APIRouter

from streams.serving.cache.state import cache_state
from streams.serving.services import Served
from streams.serving.wire import CacheState

router = APIRouter(prefix="/v1/cache", tags=["state"])


@router.get("", operation_id="cache")
async def cache(served: Served) -> CacheState:
    """Hit rate, sizes, and how often the most frequent questions were asked; never what was asked, or by whom."""
    return cache_state(served.finder)
