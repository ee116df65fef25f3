"""What counts as ill for too long: opening partitions may take its time as long as it gets on, and nothing else may."""

from __future__ import annotations

from collections.abc import Mapping

from streams.ops.recovery.ailments import Symptom
from streams.ops.recovery.observe import Sight
from streams.ops.recovery.watched import Patience, Watched

PATIENCE, UNREADY = Patience(), 20.0


def unready(*hindered: str, restored: Mapping[str, float] | None = None) -> Sight:
    return Sight(
        answers=True,
        live=True,
        started=True,
        complaints=max(1, len(hindered)),
        hindered=frozenset(hindered),
        restored=restored or {},
    )


def looked(*sights: Sight, every: float = 1.0) -> Symptom | None:
    """What is wrong after the last of these looks, or earlier."""
    watched, now = Watched(), 100.0
    for sight in sights:
        watched.looked(sight, now)
        if (symptom := watched.symptom(now, PATIENCE, UNREADY)) is not None:
            return symptom
        now += every
    return None


def test_an_opening_that_gets_on_may_take_hours() -> None:
    assert looked(*[unready("memory/0", "memory/1", restored={"memory": 500.0 * n}) for n in range(1_000)], every=10) is None


def test_one_that_hangs_in_an_opening_is_ill_after_the_usual_patience() -> None:
    assert looked(*[unready("memory/0") for _ in range(22)]) is Symptom.UNREADY
    began = [unready("memory/0", restored={"memory": 500.0 * n}) for n in range(60)]
    stands = [unready("memory/0", restored={"memory": 29_500.0})] * 19
    assert looked(*began, *stands) is None
    assert looked(*began, *stands, stands[0]) is Symptom.UNREADY


def test_a_stream_agent_that_hangs_is_not_excused_by_another_one() -> None:
    assert looked(*[unready("memory/0", "lattice/0", restored={"memory": 5.0 * n}) for n in range(22)]) is Symptom.UNREADY


def test_another_complaint_is_not_excused_by_an_opening_that_gets_on() -> None:
    store = [unready("memory: its store", "memory/0", restored={"memory": 5.0 * n}) for n in range(22)]
    assert looked(*store) is Symptom.UNREADY
    once = [unready("memory/0", restored={"memory": 5.0 * n}) for n in range(60)]
    once[40] = unready("memory/0", "memory: the broker", restored={"memory": 5.0 * 40})
    assert looked(*once) is None, "it passed"


def test_a_rewind_that_gets_on_is_not_stuck() -> None:
    def waits(count: float) -> Sight:
        return Sight(answers=True, live=True, started=True, work=7.0, waiting=60.0, restored={"memory": count})

    assert looked(*[waits(5.0 * n) for n in range(100)]) is None
    assert looked(*[waits(5.0) for n in range(100)]) is Symptom.STUCK


def test_what_was_counted_before_a_look_failed_is_no_progress() -> None:
    seen = unready("memory/0", restored={"memory": 500.0})
    watched = Watched()
    for now, sight in enumerate([seen, Sight(), seen]):
        watched.looked(sight, 100.0 + now)
    assert watched.restored_at == {"memory": 100.0}
