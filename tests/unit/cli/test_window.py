"""``--window`` on the command line."""

from __future__ import annotations

import click
import pytest

from streams.cli.window import WindowType


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ("temporal:60", {"kind": "temporal", "seconds": 60}),
        ("actions:5", {"kind": "actions", "count": 5}),
        ("semantic:swap,eth", {"kind": "semantic", "tags": ["swap", "eth"]}),
        ("priority:0.7", {"kind": "priority", "min_importance": 0.7}),
    ],
)
def test_forms(said: str, shape: dict) -> None:
    assert WindowType().convert(said, None, None) == shape


@pytest.mark.parametrize(
    "said", ["", "temporal", "temporal:soon", "actions:", "semantic:", "semantic:,", "priority:high", "x:1"]
)
def test_what_is_no_window_is_refused(said: str) -> None:
    with pytest.raises(click.BadParameter, match="is no window"):
        WindowType().convert(said, None, None)
