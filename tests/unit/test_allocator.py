"""What was freed goes back."""

from __future__ import annotations

import pytest

from streams import allocator


def test_freed_memory_can_be_given_back() -> None:
    assert allocator.give_back()


def test_where_the_system_cannot_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.ctypes.util, "find_library", lambda _: None)
    assert not allocator.give_back()
