from __future__ import annotations

import pytest

from streams.core.block import BlockRef, Step
from streams.core.cursor import Cursor

A = BlockRef(7, bytes([7]) * 32, bytes([6]) * 32)
B = BlockRef(8, bytes([8]) * 32, bytes([7]) * 32)


@pytest.mark.parametrize("cursor", [Cursor(Step.NEW, B, B, A), Cursor(Step.UNDO, B, A, None), Cursor(Step.FINAL, A, B, A)])
def test_parse_inverts_print(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "", "c1", "c2:NEW:x:y:-", "c1:OLD:" + str(Cursor(Step.NEW, A, B)).split(":", 2)[2],
        str(Cursor(Step.NEW, A, B)) + ":", str(Cursor(Step.NEW, A, B)).replace("7.", "07.", 1),
        str(Cursor(Step.NEW, A, B)).replace("07" * 32, "07" * 31, 1), str(Cursor(Step.NEW, A, B))[:-2],
    ],
)  # fmt: skip
def test_what_no_cursor_prints_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Cursor.parse(text)
