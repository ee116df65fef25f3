"""The register of policies: by name, opened and closed by hand, shown as a gauge."""

from __future__ import annotations

import gc

import pytest
from prometheus_client import REGISTRY

from streams.policy import (
    CircuitOpenError,
    Policy,
    State,
    force_close,
    force_open,
    open_on,
    policies,
    policy_for,
    reset,
    views,
)


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value("monmouth_circuit_breaker_state", {"name": name})


async def answer() -> None:
    pass


def held(name: str) -> Policy:
    now = [0.0]
    policy = policy_for(name, clock=lambda: now[0])
    policy.pass_time = lambda seconds: now.__setitem__(0, now[0] + seconds)  # type: ignore[attr-defined]
    return policy


def test_one_name_is_one_policy_as_long_as_it_is_held() -> None:
    one = policy_for("store a:1")
    assert policy_for("store a:1") is one
    assert one in policies()
    assert gauge("store a:1") == 0
    del one
    gc.collect()
    assert gauge("store a:1") is None
    assert not [view for view in views() if view.name == "store a:1"]


async def test_by_hand() -> None:
    policy = policy_for("by hand")
    assert force_open("by hand")
    assert gauge("by hand") == 1
    with pytest.raises(CircuitOpenError, match="by hand"):
        await policy.call(answer)
    assert force_close("by hand")
    await policy.call(answer)
    assert gauge("by hand") == 0
    assert policy.breaker.view().seconds
    assert reset("by hand")
    assert policy.breaker.view().seconds == ()
    assert not force_open("nobody")
    assert not force_close("nobody")
    assert not reset("nobody")


async def test_whoever_knows_that_a_place_is_down_opens_all_that_lead_there() -> None:
    one, two, other = held("db 10.0.0.1"), held("db 10.0.0.2"), held("dbase 10.0.0.1")
    assert open_on("db", 5.0, "the node is down") == ["db 10.0.0.1", "db 10.0.0.2"]
    assert [policy.breaker.now for policy in (one, two, other)] == [State.OPEN, State.OPEN, State.CLOSED]
    with pytest.raises(CircuitOpenError, match="the node is down"):
        await one.call(answer)
    one.pass_time(5.0)  # type: ignore[attr-defined]
    assert gauge("db 10.0.0.1") == 2
    for _ in range(3):
        await one.call(answer)
    assert gauge("db 10.0.0.1") == 0


async def test_a_place_that_was_opened_by_hand_opens_again_at_the_first_failure() -> None:
    policy = held("brittle")
    open_on("brittle", 1.0, "down")
    policy.pass_time(1.0)  # type: ignore[attr-defined]

    async def fail() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await policy.once(fail)
    assert policy.breaker.now is State.OPEN
