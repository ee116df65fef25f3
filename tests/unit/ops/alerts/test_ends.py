"""An end is told once."""

from __future__ import annotations

from streams.ops.alerts import ends
from streams.ops.alerts.ends import Ends

A, B = b"a", b"b"


def test_the_second_end_of_an_alert_says_it_again_until_it_fires_anew() -> None:
    seen = Ends()
    said = [(A, "firing"), (A, "resolved"), (B, "resolved"), (A, "resolved"), (A, "firing"), (A, "resolved")]
    assert [seen.again(key, state, None) for key, state in said] == [False, False, False, True, False, False]


def test_what_was_known_before_counts_until_something_is_seen() -> None:
    seen = Ends()
    assert seen.again(A, "resolved", "resolved")
    assert not seen.again(B, "resolved", "firing")
    assert not seen.again(A, "firing", "resolved")
    assert not seen.again(A, "resolved", "resolved")


def test_no_more_are_remembered_than_there_may_be_alerts() -> None:
    seen = Ends()
    for number in range(ends.MOST_ALERTS + 1):
        seen.again(str(number).encode(), "resolved", None)
    assert not seen.again(b"0", "resolved", None), "it is forgotten"
    assert seen.again(str(ends.MOST_ALERTS).encode(), "resolved", None)
