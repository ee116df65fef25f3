"""aNPS: the formula, and that a score rests on what was measured of an agent within a minute, or there is none."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest

from streams.core.record import Record
from streams.runtime import scores
from streams.runtime.scores import WINDOW, Scores, anps, scored


def sent(agent: int, *, status: int | None = 1, gas: int = 21_000, price: int = 10**9, role: str = "SENDER") -> Record:
    value: dict[str, Any] = {"agent": bytes([agent]) * 20, "role": role, "status": status, "gas_used": gas}
    return Record("t", 0, 0, b"", "ChainTransaction", value | {"gas_price": price.to_bytes(8, "big")})


def seen(agent: str, name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"monmouth_anps_{name}", {"agent": agent, **labels}) or 0.0


@pytest.mark.parametrize(
    ("latency", "tps", "accuracy", "cost", "score"),
    [(0, 1000, 1, 0, 100), (100, 0, 0, 1, 20), (1e12, 0, 0, 1e12, 0), (0, 5000, 1, 0, 220), (100, 500, 0.5, 0, 55)],
)
def test_the_formula(latency: float, tps: float, accuracy: float, cost: float, score: float) -> None:
    assert anps(latency, tps, accuracy, cost) == pytest.approx(score, abs=1e-6)


def test_a_score_is_of_what_an_agent_sent_within_the_minute() -> None:
    found = Scores("one", 0.0)
    found.add([sent(1), sent(1, status=0), sent(2, role="COUNTERPARTY")], 0.2, 1.0)
    found.add([sent(1, gas=10**6, price=10**9)] * 4, 0.8, 59.0)
    assert seen("one", "scores_count") == 0
    found.close(WINDOW)
    fee = (2 * 21_000 + 4 * 10**6) * 10**9 / 6 / 10**15
    assert seen("one", "scores_count") == 1
    assert seen("one", "scores_sum") == pytest.approx(anps(600, 6 / 60, 5 / 6, fee))
    found.close(3 * WINDOW)
    assert seen("one", "scores_count") == 1, "a minute without transactions has no score"


def test_what_was_not_measured_is_not_made_up() -> None:
    found = Scores("two", 0.0)
    found.add([sent(1), sent(1, status=None), sent(2)], 0.1, 1.0)
    found.close(WINDOW)
    assert (seen("two", "scores_count"), seen("two", "left_out_total", reason="status")) == (1, 1)


def test_a_crowd_has_a_limit_and_who_is_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_AGENTS", 2)
    found = Scores("three", 0.0)
    found.add([sent(agent) for agent in (1, 2, 3, 3, 1)], 0.1, 1.0)
    found.close(WINDOW)
    assert (seen("three", "scores_count"), seen("three", "left_out_total", reason="crowd")) == (2, 1)


def test_whoever_looks_at_the_metrics_closes_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(scores.time, "monotonic", lambda: now)
    scored("four", [sent(1)], 0.1)
    assert b'monmouth_anps_scores_count{agent="four"}' not in generate_latest(REGISTRY)
    now += WINDOW
    assert b'monmouth_anps_scores_count{agent="four"} 1.0' in generate_latest(REGISTRY)
