"""Silences: what they cover and until when, that what they cover is kept and told to nobody, and told when they end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.ops.alerts.judge import Judge
from streams.ops.alerts.lanes import Lanes
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import FIRED, decided
from streams.ops.alerts.records import event_of, record_of, silenced
from streams.ops.alerts.rules import rules_of
from streams.ops.alerts.series import Sample
from streams.ops.alerts.silences import LONGEST, MOST, Silence, Silences, read, write

(RULE,) = rules_of('[[rule]]\nname = "High"\ncondition = "level > 5"\ncooldown = "0s"\n', "here")
A, B = (("instance", "a"),), (("instance", "b"),)


class Night:
    """Silences of a file, on a clock that is given."""

    def __init__(self, file: Path) -> None:
        self.now = 1_000.0
        self.file = file
        self.silences = Silences(file, self.clock, self.clock)

    def clock(self) -> float:
        return self.now

    def put(self, *silences: Silence) -> None:
        self.now += 1
        write(self.file, list(silences), self.now)

    def judge(self) -> Judge:
        return Judge([RULE], 1, self.silences)

    def look(self, judge: Judge, **levels: float) -> list[Event]:
        self.now += 1
        judge.take(Sample("monmouth_level", (("instance", name),), self.now, level) for name, level in levels.items())
        return judge.step(self.now)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path / "silences.json")


def said(events: list[Event]) -> list[tuple[str, str, bool]]:
    return [(dict(event.labels)["instance"], event.state, event.silenced) for event in events]


def test_it_covers_a_rule_where_its_labels_are() -> None:
    assert Silence("High", 1, {"instance": "a"}).covers("High", A)
    assert not Silence("High", 1, {"instance": "a"}).covers("High", B)
    assert not Silence("High", 1).covers("Low", A)
    assert Silence("*", 1).covers("Low", A)


def test_what_is_silenced_is_kept_once_and_told_when_the_silence_ends_by_itself(night: Night) -> None:
    night.put(Silence("High", night.now + 5, {"instance": "a"}))
    judge = night.judge()
    assert said(night.look(judge, a=9, b=9)) == [("a", "firing", True), ("b", "firing", False)]
    assert night.look(judge, a=9, b=9) == []
    night.now += 5
    assert said(night.look(judge, a=9, b=9)) == [("a", "firing", False)]


def test_a_silence_that_is_ended_by_hand_ends_at_once(night: Night) -> None:
    night.put(Silence("*", night.now + 500))
    judge = night.judge()
    assert said(night.look(judge, a=9)) == [("a", "firing", True)]
    night.put()
    assert said(night.look(judge, a=9)) == [("a", "firing", False)]


def test_an_end_is_told_where_the_beginning_was(night: Night) -> None:
    judge = night.judge()
    assert said(night.look(judge, a=9)) == [("a", "firing", False)]
    night.put(Silence("High", night.now + 500))
    assert said(night.look(judge, a=9, b=9)) == [("b", "firing", True)]
    assert sorted(said(night.look(judge, a=1, b=1))) == [("a", "resolved", False), ("b", "resolved", True)]


def test_a_watch_that_takes_over_goes_on_being_silent(night: Night) -> None:
    night.put(Silence("High", night.now + 500))
    judge = night.judge()
    night.look(judge, a=9)
    assert judge.recover({}, night.now, {("High", A): 9.0}) == []
    assert said(judge.recover({}, night.now)) == [("a", "firing", True)], "nobody had kept it"
    over = judge.recover({}, night.now, {("High", A): 9.0, ("High", B): 9.0})
    assert said(over) == [("b", "resolved", True)]
    night.put()
    assert said(night.look(judge, a=9)) == [("a", "firing", False)]


def test_a_record_says_that_nobody_was_told(night: Night) -> None:
    event = Event(RULE, A, "firing", 9.0, 1.0, 2.0, silenced=True)
    record = record_of(event)
    assert (record.state, silenced(record)) == ("firing", True)
    assert record.summary == "[silenced] warning High (instance=a): level > 5, firing, value 9"
    found = event_of(record, {"High": RULE})
    assert found is not None and found.silenced
    assert not silenced(record_of(replace(event, silenced=False)))


async def test_no_channel_is_told_and_nothing_is_counted_as_told() -> None:
    class Channel:
        async def send(self, event: Event) -> None:
            raise AssertionError("told")

    lanes = Lanes({"log": Channel()})
    before = FIRED.labels("warning")._value.get()
    event = Event(RULE, A, "firing", 9.0, 1.0, 2.0, silenced=True)
    lanes.add(event)
    decided([event], ["warning"], {})
    await lanes.empty()
    assert FIRED.labels("warning")._value.get() == before


def test_what_cannot_be_read_leaves_what_was_known(night: Night) -> None:
    night.put(Silence("High", night.now + 50))
    judge = night.judge()
    night.look(judge, a=9)
    for text in (
        "{",
        "[1]",
        '[{"rule": "High"}]',
        '[{"rule": "High", "until": "soon"}]',
        '[{"rule": "H", "until": 1, "labels": []}]',
        '[{"rule": ["High"], "until": 9e9}]',
        '[{"rule": "High", "until": 9e9, "id": 1}]',
        '[{"rule": "High", "until": 9e9, "reason": null}]',
        '[{"rule": "High", "until": Infinity}]',
        '[{"rule": "High", "until": NaN}]',
        f'[{{"rule": "High", "until": 1{"0" * 400}}}]',
    ):
        night.file.write_text(text)
        with pytest.raises(ConfigurationError, match="holds no silences"):
            read(night.file)
        assert said(night.look(judge, a=9, b=9)) in ([], [("b", "firing", True)])


def test_what_a_later_version_says_besides_is_left_out(night: Night) -> None:
    night.file.write_text('[{"rule": "High", "until": 9e9, "by": ["me"]}]')
    assert [(one.rule, one.until) for one in read(night.file)] == [("High", 9e9)]
    assert said(night.look(night.judge(), a=9)) == [("a", "firing", True)]


def test_what_is_over_goes_and_there_are_bounds(night: Night) -> None:
    night.put(Silence("A", night.now + 5), Silence("B", night.now))
    assert [one["rule"] for one in json.loads(night.file.read_text())] == ["A"]
    with pytest.raises(ConfigurationError, match="30 days"):
        night.put(Silence("A", night.now + LONGEST + 60))
    with pytest.raises(ConfigurationError, match="silences"):
        night.put(*[Silence("A", night.now + 60)] * (MOST + 1))
    assert [one.rule for one in read(night.file)] == ["A"]
