"""What of a memory is ranked."""

from __future__ import annotations

from streams.retrieval.cues import asks, entities, tells_number, tells_time, wants_number, wants_time
from streams.retrieval.document import document_of
from tests.unit.retrieval.samples import document, memory


def test_words_of_text_author_and_date() -> None:
    made = document("Went swimming", 1_684_000_000, author="Zoë Miller")
    assert sorted(made.words) == sorted(["went", "swim", "zoe", "miller", "may", "2023"])
    assert made.authors == {"zoe", "miller"}


def test_authors_by_tag_and_names_said_already_are_not_counted_twice() -> None:
    made = document_of({**memory("Ann: hello there"), "tags": ["author:Ann", "swap"]})
    assert made is not None
    assert made.authors == {"ann"}
    assert made.words.count("ann") == 1


def test_what_has_no_text_is_no_document() -> None:
    plain = memory("swapped")
    assert document_of({**plain, "media_type": "application/octet-stream"}) is None
    assert document_of({**plain, "form": "AMENDMENT"}) is None
    assert document_of({**plain, "sealed": b"x"}) is None


def test_cues() -> None:
    assert asks('What is that?"')
    assert not asks("What? No.")
    assert tells_time("we met last Friday")
    assert not tells_time("we met")
    assert tells_number("three of them")
    assert not tells_number("many of them")
    assert wants_time("How long ago was it?")
    assert wants_number("How many are there?")
    assert not wants_number("who are they?")


def test_entities() -> None:
    found = entities('Swapped 1.5 ETH at 0xDEADBEEF00000000000000000000000000000000 with vitalik.eth in "Green Room"')
    assert {"eth", "1.5", "0xdeadbeef", "vitalik.eth", "green room"} <= found
    assert entities("What did I do") == frozenset()
