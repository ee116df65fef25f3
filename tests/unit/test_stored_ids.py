"""Every row is named, however the store pages through them, and a store that is never done is left."""

from __future__ import annotations

from typing import Any

import pytest

from streams.ports.stores import Changes
from streams.stored_ids import WALKS, UnsettledError, stored_ids

AGENT = b"\x01" * 20
IDS = [bytes([n]) * 32 for n in range(7)]


class Paged:
    """Answers with these pages, the last one for ever."""

    def __init__(self, *pages: Changes | None) -> None:
        self.pages, self.asked = list(pages), list[Any]()

    async def changes(self, agent: bytes, since: Any, limit: int) -> Changes | None:
        assert agent == AGENT
        self.asked.append(since)
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]

    async def live_ids(self, agent: bytes, canonical: Any) -> list[bytes]:
        return [one for one in reversed(IDS) if canonical(one)]


def page(version: Any, *numbers: int, more: bool = True, over: bool = False) -> Changes:
    return Changes(version, [IDS[n] for n in numbers], over, more)


async def ids(store: Any, **more: Any) -> list[bytes]:
    return await stored_ids(store, AGENT, **more)


async def test_page_by_page() -> None:
    store = Paged(page(1, 3, 1), page(2, 0), page(3, 6, more=False))
    assert await ids(store) == [IDS[n] for n in (0, 1, 3, 6)]
    assert store.asked == [None, 1, 2]


async def test_a_walk_that_begins_anew_is_followed_to_its_end() -> None:
    assert await ids(Paged(page(1, 3, 1), page(9, 0, over=True), page(10, 1, 3, more=False))) == [IDS[n] for n in (0, 1, 3)]


async def test_a_store_that_cannot_tell_names_what_is_live() -> None:
    assert await ids(Paged(None), canonical=lambda one: one != IDS[2]) == [one for one in IDS if one != IDS[2]]


async def test_one_that_is_never_done_is_left() -> None:
    store = Paged(page(1, 0, over=True))
    with pytest.raises(UnsettledError, match="changed too much"):
        await ids(store)
    assert len(store.asked) == WALKS + 1
    with pytest.raises(UnsettledError, match="changed too much"):
        await ids(Paged(page(1, 0), None))
