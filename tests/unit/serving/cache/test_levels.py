"""The two levels: bounds, order of leaving, time to live, promotion, counting, purging."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from streams.ports.stores import Version
from streams.serving.cache.freshness import Stamp
from streams.serving.cache.levels import HITS, HOT, MISSES, Event, Limits, Question, TwoLevels
from streams.serving.context.request import ContextRequest
from streams.settings import CacheSettings

ALICE, BOB = b"a" * 20, b"b" * 20


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def made(size: int = 1 << 20, hot: int = 4, ttl: float = 300.0) -> tuple[TwoLevels[int], Clock]:
    clock = Clock()
    return TwoLevels(Limits(size, hot, ttl), clock), clock


def asked(n: int, agent: bytes = ALICE) -> Question:
    return Question(agent, ContextRequest(agent, f"question {n}"))


def keep(cache: TwoLevels[int], n: int, body: bytes = b"{}", agent: bytes = ALICE, stamp: int = 0) -> bool:
    return cache.put(asked(n, agent), stamp, body, cache.ticket())


def look(cache: TwoLevels[int], n: int, agent: bytes = ALICE, stamp: int = 0) -> bytes | None:
    return cache.look_up(asked(n, agent), lambda held: held == stamp)


def test_what_was_put_is_found_until_it_is_stale_or_old() -> None:
    cache, clock = made()
    assert look(cache, 1) is None
    keep(cache, 1, b"body")
    assert look(cache, 1) == b"body" and look(cache, 2) is None and look(cache, 1, BOB) is None
    assert look(cache, 1, stamp=1) is None
    assert look(cache, 1) is None  # stale once is gone for good
    keep(cache, 1, b"other")
    clock.now = 299.9
    assert look(cache, 1) == b"other"
    clock.now = 300.0
    assert look(cache, 1) is None and len(cache) == 0
    assert cache.counts == {Event.ABSENT: 4, Event.L2_HIT: 2, Event.STALE: 1, Event.EXPIRED: 1}
    assert cache.hit_rate == 2 / 8


def test_one_question_has_one_entry() -> None:
    cache, _ = made()
    for stamp in range(5):
        keep(cache, 1, b"%d" % stamp, stamp=stamp)
    assert len(cache) == 1 and look(cache, 1, stamp=4) == b"4"
    keep(cache, 1, b"5", stamp=5)
    assert look(cache, 1, stamp=5) == b"5"


def test_a_question_is_promoted_when_it_is_hot_and_not_before() -> None:
    cache, clock = made()
    keep(cache, 1, b"body")
    for _ in range(HOT):
        assert look(cache, 1) == b"body"
    assert cache.hot == 0 and cache.counts[Event.L1_HIT] == 0
    look(cache, 1)
    assert cache.hot == 1 and cache.counts[Event.PROMOTED] == 1
    look(cache, 1)
    assert cache.counts[Event.L1_HIT] == 1 and cache.counts[Event.L2_HIT] == HOT + 1
    clock.now = 300.0
    assert look(cache, 1) is None and cache.hot == 0 and cache.l1_bytes == 0  # the time to live holds in L1 too
    keep(cache, 1, b"new")
    assert look(cache, 1) == b"new" and look(cache, 1, stamp=9) is None and cache.hot == 0


def test_l1_is_bounded_by_entries_and_by_bytes() -> None:
    cache, _ = made(size=400_000, hot=3)
    for n in range(6):
        keep(cache, n, os.urandom(20_000))
    for _ in range(HOT + 1):
        for n in range(6):
            look(cache, n)
    assert cache.hot == 3 and cache.counts[Event.L1_EVICTED] == 3
    small, _ = made(size=400_000, hot=100)
    for n in range(8):
        keep(small, n, os.urandom(30_000))
    for _ in range(HOT + 2):
        for n in range(8):
            look(small, n)
    assert small.hot == 3 and 0 < small.l1_bytes <= small.limits.l1_bytes


def test_l2_evicts_by_last_access_until_need_and_a_tenth_are_free() -> None:
    cache, _ = made(size=400_000)  # 300,000 are L2's
    body = os.urandom(27_000)
    n = 0
    while cache.counts[Event.EVICTED] == 0:
        keep(cache, n, body)
        look(cache, 0)
        n += 1
        assert cache.l2_bytes <= 300_000
    assert cache.l2_bytes <= 300_000 - 30_000
    assert look(cache, 0) == body and look(cache, 1) is None and look(cache, n - 1) == body


def test_an_l1_hit_is_an_access_to_l2_as_well() -> None:
    cache, _ = made(size=400_000)
    keep(cache, 0, b"hot")
    for _ in range(HOT + 1):
        look(cache, 0)
    for n in range(1, 40):
        keep(cache, n, os.urandom(27_000))
        assert look(cache, 0) == b"hot"
    assert cache.counts[Event.EVICTED] > 10 and cache.counts[Event.L1_HIT] == 39


def test_what_is_too_large_is_refused_and_empties_nothing() -> None:
    cache, _ = made(size=400_000)
    keep(cache, 1)
    assert not keep(cache, 2, os.urandom(290_000))
    assert look(cache, 1) == b"{}" and cache.counts[Event.REFUSED] == 1
    assert not made(size=0)[0].put(asked(1), 0, b"", 0)


def test_a_collision_of_hashes_fetches_no_other_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.serving.cache.levels.xxh3_64_intdigest", lambda *_, **__: 7)
    cache, _ = made()
    keep(cache, 1, b"alice")
    assert look(cache, 1, BOB) is None and look(cache, 2) is None
    keep(cache, 1, b"bob", BOB)
    assert look(cache, 1) is None and look(cache, 1, BOB) == b"bob"
    assert cache.purge(ALICE) == 0 and cache.purge(BOB) == 1 and len(cache) == 0 and cache.l2_bytes == 0


def test_a_look_up_is_counted_once() -> None:
    seen: list[Event] = []
    cache: TwoLevels[int] = TwoLevels(Limits(400_000, 2, 300), Clock(), seen.append)
    looks = 0
    for n in range(300):
        looks += 1
        if look(cache, n % 7, stamp=n // 50) is None:
            keep(cache, n % 7, os.urandom(20_000), stamp=n // 50)
    assert sum(cache.counts[event] for event in (*HITS, *MISSES)) == looks
    assert len(seen) == cache.counts.total()


def test_purging_an_agent_leaves_nothing_of_it_and_refuses_what_was_under_way() -> None:
    cache, _ = made()
    for n in range(3):
        keep(cache, n)
        keep(cache, n, agent=BOB)
    for _ in range(HOT + 2):
        look(cache, 0)
    ticket = cache.ticket()
    assert cache.purge(ALICE) == 3
    assert len(cache) == 3 and cache.hot == 0 and look(cache, 0) is None and look(cache, 0, BOB) == b"{}"
    assert not cache.put(asked(0), 0, b"computed before", ticket)
    assert look(cache, 0) is None
    assert cache.purge(ALICE) == 0 and keep(cache, 0)


def test_the_sweep_takes_the_expired_and_only_them() -> None:
    cache, clock = made()
    keep(cache, 1)
    clock.now = 200.0
    keep(cache, 2)
    clock.now = 350.0
    assert cache.sweep() == 1 and len(cache) == 1 and look(cache, 2) == b"{}"
    clock.now = 500.0
    assert cache.sweep() == 1 and cache.l2_bytes == 0 and cache.counts[Event.SWEPT] == 2


def test_resizing_brings_both_levels_within_the_new_limits() -> None:
    cache, _ = made(size=2_000_000, hot=8)
    for n in range(40):
        keep(cache, n, os.urandom(20_000))
    for _ in range(HOT + 1):
        for n in range(30, 40):
            look(cache, n)
    cache.resize(Limits(200_000, 2, 300))
    assert cache.l2_bytes <= 150_000 and cache.l1_bytes <= 50_000 and cache.hot <= 2
    assert look(cache, 39) is not None and look(cache, 1) is None
    cache.resize(Limits(0, 0, 300))
    assert len(cache) == cache.hot == cache.l1_bytes == cache.l2_bytes == 0


def test_room_for_hot_answers_grows_with_the_memory_unless_told() -> None:
    assert CacheSettings().hot == 65_536
    assert CacheSettings(size_mb=3).hot == 1_024
    assert CacheSettings(size_mb=3, l1_entries=0).hot == 0


@pytest.mark.parametrize("agents", [1, 4_000])
def test_the_bytes_counted_are_the_bytes_held(agents: int) -> None:
    cache: TwoLevels[Stamp] = TwoLevels(Limits(1 << 30, 0, 300), Clock())
    bodies = [os.urandom(300) for _ in range(4_000)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n, body in enumerate(bodies):
        agent = (n % agents).to_bytes(20, "big")
        version = Version(10**6 + n, 10**6 + n)
        question = Question(agent, ContextRequest(agent, f"what about number {10**6 + n}?"))
        cache.look_up(question, lambda _: True)
        stamp = Stamp((version, Version(*version)), 10**6 + n, 10**9 + n, None, True, 10**6 + n, 1_000 + n, 0)
        cache.put(question, stamp, body, 0)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 0.7 * cache.l2_bytes < held < 1.05 * cache.l2_bytes


def test_the_names_of_the_top_questions_tell_nothing() -> None:
    first, second = made()[0], made()[0]
    for cache in (first, second):
        for n in (1, 1, 2):
            look(cache, n)
    assert [count for _, count in first.top(5)] == [2, 1]
    assert first.top(5) != second.top(5)  # a seed of each cache's own
