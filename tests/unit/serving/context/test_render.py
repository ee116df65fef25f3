"""A context as one text."""

from __future__ import annotations

import re

import hypothesis.strategies as st
from hypothesis import given

from streams.serving.context.render import rendered, source_of

MARK = re.compile(r"^\[(\d+)\]", re.MULTILINE)


def test_numbers_and_sources() -> None:
    sources = [source_of(1, 7, "0xaa", "0xbb"), source_of(2, None, None, "0xcc")]
    assert rendered(["one\ntwo", "three"], sources) == (
        "[1] one\n    two\n\n[2] three\n\nSources:\n[1] block 7, transaction 0xaa, memory 0xbb\n[2] memory 0xcc"
    )
    assert rendered(["one"], []) == "[1] one"
    assert rendered([], []) == ""


@given(st.lists(st.text(st.sampled_from("[]12 a\n\r\x0b\x0c\x1c\x85\u2028\u2029"), max_size=12), max_size=5))
def test_no_memory_passes_for_another(texts: list[str]) -> None:
    lines = rendered(texts, []).splitlines()
    assert [int(mark[1]) for line in lines if (mark := MARK.match(line))] == list(range(1, len(texts) + 1))
