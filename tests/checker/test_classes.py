"""Each class is seeded once into a clean history and must be caught, and nothing else is said of the rest."""

from __future__ import annotations

import pytest

from tests.checker.clean import PLAN, history
from tests.checker.corrupt import CORRUPTIONS
from tests.checker.events import Redo
from tests.checker.history import History
from tests.checker.report import CLASSES, check

ALSO = {
    "a wrong sequence": {"inconsistent offset", "stale row"},  # markers are known, and time is told, by their sequence
    "a stale row": set(),
    "a wrong undo": {"duplicate", "stale row", "key order"},  # what it did not remove stands
}


def test_a_clean_history_has_zero_of_everything() -> None:
    report = check(history(PLAN))
    assert report.events > 300
    assert report.counts == dict.fromkeys(CLASSES, 0)
    assert report.amplification == {"agent": 1.0}
    assert [r.fault for r in report.recoveries] == ["kill"]
    assert all(s > 0 for s in report.seconds)


def test_every_class_is_seeded() -> None:
    assert {kind for kind, _ in CORRUPTIONS.values()} == set(CLASSES)


@pytest.mark.parametrize(("group", "excused"), [("agent", True), ("another", False)])
def test_a_position_goes_back_for_a_replay_of_that_group_alone(group: str, excused: bool) -> None:
    _, corrupt = CORRUPTIONS["a commit back"]
    wrong = corrupt(history(PLAN), 0)
    assert wrong is not None
    replayed = History((Redo(group=group), *wrong.events))
    assert check(replayed).counts["commit back"] == (0 if excused else 1)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_seeded_anomaly_is_caught(name: str) -> None:
    kind, corrupt = CORRUPTIONS[name]
    for choice in range(3):
        wrong = corrupt(history(PLAN), choice)
        assert wrong is not None
        found = {seen for seen, count in check(wrong).counts.items() if count}
        assert kind in found
        assert found <= {kind} | ALSO.get(name, set())
