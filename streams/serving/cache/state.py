"""What the cache of contexts says of itself."""

from __future__ import annotations

from streams.serving.cache.finder import CachedFinder
from streams.serving.wire import CacheState, TopQuestion

TOP = 10


def cache_state(finder: CachedFinder) -> CacheState:
    """Hit rate, sizes, frequent questions by a name that tells nothing of them."""
    kept = finder.cache
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
