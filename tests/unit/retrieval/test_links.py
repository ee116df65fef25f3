"""Links as a cue: strong ones alone, in both directions, a bounded number of them, and no trace of one that is gone."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.defaults import plain_edge
from streams.retrieval.index import MemoryIndex
from streams.retrieval.links import MOST, STRONG, Link, joined, links_of
from streams.retrieval.rank import ranked
from streams.retrieval.signals import SIGNALS, scaled
from tests.unit.retrieval.samples import asked, document, index_of, memory

FOUND = document("swam in the lake", 0, session=1)
FAR = [document(f"rent of flat {n} paid", 10 + n, session=2 + n) for n in range(40)]
QUESTION = asked("who swims in lakes?")


def place(index: MemoryIndex, memory_id: bytes) -> int:
    return [found.id for found in ranked([index], QUESTION, 100)].index(memory_id)


def test_only_strong_links_are_any() -> None:
    said = memory("both")
    strong = {**plain_edge("LINK", b"t" * 32), "strength": 0.8}
    said["edges"] = [
        strong,  # type: ignore[list-item]
        {**strong, "source": b"s" * 32},  # type: ignore[list-item, typeddict-item]
        {**strong, "strength": STRONG},  # type: ignore[list-item, typeddict-item]
        {**strong, "kind": "SUPERSEDES"},  # type: ignore[list-item, typeddict-item]
    ]
    assert links_of(said) == (Link(said["id"], b"t" * 32, 0.8), Link(b"s" * 32, b"t" * 32, 0.8))


def test_a_linked_memory_comes_before_what_nothing_speaks_for_and_after_what_was_found() -> None:
    plain, at = index_of(FOUND, *FAR), FAR[7].id
    before = place(plain, at)
    for link in (Link(FOUND.id, at, 0.9), Link(at, FOUND.id, 0.9)):
        index = index_of(FOUND, *FAR)
        index.link(b"amendment", (link,))
        assert (place(index, FOUND.id), place(index, at)) == (0, 1)
        assert next(found for found in ranked([index], QUESTION, 100) if found.id == at).shares
        index.link(b"amendment", ())
        assert place(index, at) == before > 1


def test_a_link_goes_with_the_record_that_says_it_and_counts_with_both_ends_alone() -> None:
    index = index_of(FOUND, *FAR)
    before = [(found.id, found.score) for found in ranked([index], QUESTION, 100)]
    index.link(FAR[3].id, (Link(FAR[3].id, b"not here" * 4, 1.0), Link(FAR[3].id, FAR[3].id, 1.0)))
    assert [(found.id, found.score) for found in ranked([index], QUESTION, 100)] == before
    size = index.nbytes
    index.link(FAR[3].id, (Link(FAR[3].id, FOUND.id, 1.0), Link(FAR[5].id, FOUND.id, 0.9), Link(FAR[6].id, FOUND.id, 0.8)))
    assert index.nbytes > size
    order = [memory_id for memory_id, _ in before]
    assert all(place(index, FAR[n].id) < order.index(FAR[n].id) for n in (3, 5, 6))
    index.remove(FAR[3].id)
    assert not index.holds(FAR[3].id)
    anew = index_of(FOUND, *(each for each in FAR if each is not FAR[3]))
    kept, fresh = ranked([index], QUESTION, 100), ranked([anew], QUESTION, 100)
    assert [(found.id, found.score) for found in kept] == [(found.id, found.score) for found in fresh]


def test_the_strongest_links_of_a_memory_count_and_no_more() -> None:
    row = {bytes([n]): n for n in range(60)}
    links = [Link(b"\x00", bytes([n]), 0.7 + n / 1_000) for n in range(1, 60)]
    held = joined(links, row)
    assert sorted(held.to[held.of == 0].tolist()) == list(range(60 - MOST, 60))
    again = joined(reversed([*links, Link(b"\x01", b"\x00", 0.71)]), row)
    assert sorted(zip(again.of, again.to, strict=True)) == sorted(zip(held.of, held.to, strict=True))
    assert again.best(np.arange(60, dtype=np.float32))[0] == np.float32(0.759) * np.float32(59)
    assert np.isnan(joined([], row).best(np.ones(3, np.float32))).all()


def test_a_weak_neighbour_passes_for_no_good_one() -> None:
    values = np.zeros((3, len(SIGNALS)), np.float32)
    words, linked = SIGNALS.index("words"), SIGNALS.index("words_linked")
    values[:, words] = [10.0, 1.0, 0.0]
    values[:, linked] = [np.nan, np.nan, 0.9]
    assert scaled(values)[:, linked].tolist() == pytest.approx([0.0, 0.0, 0.09])
