"""Telling: what may pass is tried again, what never will is given up at once, and the next event is told whatever one met."""

from __future__ import annotations

import logging

import pytest

from streams.ops.alerts import mail, post
from streams.ops.alerts.delivery import LONGEST, LONGEST_ASKED, PATIENCE, TERMS, TRIES, Delivery
from streams.ops.alerts.errors import ChannelError, RefusedEventError
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import TELLING, TOLD
from streams.ops.alerts.rules import AlertRule

RULE = AlertRule("R", "a > 1", severity="critical", channels=("c",))
EVENT = Event(RULE, (), "firing", 2.0, 0.0, 1.0)


class Receiver:
    """A channel that fails as it is told, then takes. ``slept``: the pauses between its tries."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0
        self.slept: list[float] = []

    async def send(self, event: Event) -> None:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def clock(self) -> float:
        return sum(self.slept)

    async def always(self) -> bool:
        return True

    async def twice(self) -> bool:
        return self.asked < TRIES + 2


def delivery_to(receiver: Receiver, name: str) -> Delivery:
    return Delivery(name, receiver, sleep=receiver.sleep, clock=receiver.clock)


def counted(channel: str, outcome: str) -> float:
    return TOLD.labels(channel, outcome)._value.get()


async def test_what_is_taken_is_counted_and_timed() -> None:
    await delivery_to(Receiver(), "takes").tell(EVENT)
    assert [counted("takes", outcome) for outcome in ("taken", "refused", "given up", "dropped")] == [1, 0, 0, 0]
    assert TELLING.labels("takes")._sum.get() > 0


async def test_what_may_pass_is_tried_eight_times_with_pauses_that_double() -> None:
    receiver = Receiver(*[ChannelError("no")] * 20)
    await delivery_to(receiver, "away").tell(EVENT)
    assert receiver.asked == TRIES == 8
    assert receiver.slept == [pytest.approx(pause, rel=0.11) for pause in (1, 2, 4, 8, 16, 32, 60)]
    assert counted("away", "given up") == 1


async def test_a_receiver_that_is_down_for_long_is_asked_for_each_event() -> None:
    receiver = Receiver(*[ChannelError("no")] * (3 * TRIES))
    delivery = delivery_to(receiver, "long away")
    for _ in range(4):
        await delivery.tell(EVENT)
    assert (counted("long away", "given up"), counted("long away", "taken")) == (3, 1)


async def test_what_is_still_worth_it_is_tried_on_until_the_receiver_is_back(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(*[ChannelError("no")] * (TRIES + 2))
    with caplog.at_level(logging.ERROR, "monmouth.alerts"):
        await delivery_to(receiver, "back").tell(EVENT, receiver.always)
    assert receiver.slept[TRIES - 1 :] == [LONGEST_ASKED] * 3
    assert [counted("back", outcome) for outcome in ("taken", "late", "given up")] == [1, 1, 0]
    assert "not told after 8 tries, which go on (no)" in caplog.text


async def test_what_is_worth_it_no_more_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(*[ChannelError("no")] * 100)
    with caplog.at_level(logging.ERROR, "monmouth.alerts"):
        await delivery_to(receiver, "over").tell(EVENT, receiver.twice)
    assert receiver.asked == TRIES + 2
    assert counted("over", "given up") == 1
    assert "after 10 tries" in caplog.text


async def test_nothing_is_tried_on_for_ever_and_nothing_that_is_refused_for_good() -> None:
    away = Receiver(*[ChannelError("no")] * 10_000)
    await delivery_to(away, "never back").tell(EVENT, away.always)
    assert PATIENCE <= away.clock() <= PATIENCE + LONGEST_ASKED
    assert counted("never back", "given up") == 1
    gone = Receiver(*[ChannelError("no")] * TRIES, RefusedEventError("the receiver answered 410"))
    await delivery_to(gone, "gone").tell(EVENT, gone.always)
    assert (gone.asked, counted("gone", "refused")) == (TRIES + 1, 1)


@pytest.mark.parametrize("error", [RefusedEventError("the receiver answered 404"), ZeroDivisionError()])
async def test_what_never_passes_is_given_up_at_once_and_said(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(error)
    delivery = delivery_to(receiver, type(error).__name__)
    with caplog.at_level(logging.ERROR, "monmouth.alerts"):
        await delivery.tell(EVENT)
    assert (receiver.asked, receiver.slept) == (1, [])
    assert counted(delivery.name, "refused") == 1
    assert EVENT.summary in caplog.text
    assert "404" in caplog.text or "ZeroDivisionError" in caplog.text
    await delivery.tell(EVENT)
    assert counted(delivery.name, "taken") == 1


@pytest.mark.parametrize(("asked", "waited"), [(17.0, 17.0), (86_400.0, LONGEST_ASKED), (0.0, 1.0)])
async def test_a_receiver_is_left_alone_as_long_as_it_asks_within_bounds(asked: float, waited: float) -> None:
    receiver = Receiver(ChannelError("busy", retry_after=asked))
    await delivery_to(receiver, "busy").tell(EVENT)
    assert receiver.slept == [pytest.approx(waited, rel=0.11)]


def test_all_tries_fit_into_what_the_group_waits_for_its_member() -> None:
    assert (TRIES - 1) * LONGEST_ASKED + TRIES * post.TIMEOUT <= LONGEST
    pauses = sum(min(2.0**number, TERMS.longest_pause) for number in range(TRIES - 1)) * (1 + TERMS.jitter)
    assert pauses + TRIES * mail.LONGEST <= LONGEST
