"""The live state: what it says of who speaks, and above all of who does not."""

from __future__ import annotations

import pytest

from streams.core.block import ZERO_HASH, BlockRef
from streams.core.chain import LiveBlock
from streams.core.checkpoint import TIP, Checkpoint
from streams.ops.health.dependencies import Dependencies
from streams.ops.health.finding import Finding
from streams.ops.health.verdict import judge
from streams.ops.reports import ENDED, HealthPart
from streams.serving.ops import series as named
from streams.serving.ops.board import ALERTS_KEPT, RESOLVED_KEPT, VERDICT_TTL_MS, WINDOWS_KEPT, WINDOWS_TTL_MS, Board
from streams.serving.ops.components import components, summary
from streams.serving.ops.increments import SPAN, quantile
from streams.serving.ops.pipeline import pipeline
from streams.serving.ops.processes import FORGET_MS, MOST, TTL_MS
from streams.serving.ops.reorgs import KEPT
from streams.serving.ops.sections import alert_list, gateway_metrics, performance_metrics, series, slo
from tests.steps import block, step_undo
from tests.unit.serving.ops.said import NOW, alert, bucket, counter, gauge, health, metrics, window

BAD = HealthPart("broker", "failed", 0.0, "no answer within 2 s")
GOOD = HealthPart("chain_view", "healthy", 1.0)
GENESIS = block(0, 0, bytes(32))
FIRST = block(1, 0, GENESIS.hash)


def tip(agent: str, partition: int, sequence: int, at: BlockRef = FIRST, offset: int = 7) -> Checkpoint:
    live = LiveBlock(at, sequence, offset, offset, 0, ZERO_HASH)
    return Checkpoint(agent, partition, TIP, "chain.transactions", live, {"chain.transactions": offset})


def statuses(board: Board) -> dict[str, str]:
    return {f"{view.component}/{view.instance}": view.status for view in components(board)}


def test_who_falls_silent_is_gone_and_not_kept_green() -> None:
    board = Board()
    board.take_health(health("gateway", NOW, GOOD), NOW)
    board.take_health(health("worker", NOW, GOOD), NOW)
    board.advance(NOW)
    assert set(statuses(board).values()) == {"healthy"}
    assert board.score() == 1.0
    later = NOW + TTL_MS + 1
    board.take_health(health("gateway", later, GOOD), later)
    board.advance(later)
    assert statuses(board) == {"worker/1": "gone", "gateway/1": "healthy"}
    found = summary(board, components(board))
    assert (found.status, found.score, found.gone) == ("degraded", 0.5, 1)
    assert found.causes == ["worker 1 has fallen silent"]
    board.advance(NOW + FORGET_MS + 1)
    assert statuses(board) == {"gateway/1": "gone"}


def test_nobody_reports_is_neither_well_nor_ill() -> None:
    board = Board()
    board.advance(NOW)
    found = summary(board, components(board))
    assert (found.status, found.score) == (None, None)
    assert series(board, "health_score", 60).latest is None
    assert all(series(board, name, 60).latest is None for name in named.SERIES)
    numbers = performance_metrics(board)
    assert set(numbers.model_dump().values()) == {None}


def test_the_worst_comes_first_with_its_reason() -> None:
    board = Board()
    board.take_health(health("gateway", NOW, GOOD), NOW)
    board.take_health(health("worker", NOW, BAD, GOOD), NOW)
    board.advance(NOW)
    found = components(board)
    assert [(view.component, view.status) for view in found] == [("worker", "failed"), ("gateway", "healthy")]
    assert summary(board, found).causes == ["worker 1: broker failed, no answer within 2 s"]


def test_an_older_report_changes_nothing_but_that_it_was_heard() -> None:
    board = Board()
    board.take_health(health("gateway", NOW, GOOD), NOW)
    board.take_health(health("gateway", NOW - 5_000, BAD), NOW + 1)
    board.take_metrics(metrics("gateway", NOW, gauge(named.DISK, 3.0)), NOW)
    board.take_metrics(metrics("gateway", NOW - 1, gauge(named.DISK, 9.0)), NOW)
    board.advance(NOW)
    assert statuses(board) == {"gateway/1": "healthy"}
    assert board.measures().gauge(named.DISK, max) == 3.0


def test_processes_alerts_windows_and_reorgs_are_bounded() -> None:
    board = Board()
    for number in range(MOST + 40):
        board.take_health(health("worker", NOW + number, instance=str(number)), NOW + number)
    assert len(board.processes) == MOST
    assert ("worker", "0") not in {(process.component, process.instance) for process in board.processes}
    for number in range(ALERTS_KEPT + 40):
        board.take_alert(b"a%d" % number, alert("r", NOW, agent=str(number)))
        board.take_alert(b"b%d" % number, alert("r", NOW, "resolved", agent=str(number)))
    assert (len(board.alerts), len(board.resolved)) == (ALERTS_KEPT, RESOLVED_KEPT)
    for number in range(WINDOWS_KEPT + 40):
        board.take_window(window("slo", f"s{number}", NOW), NOW)
    board.advance(NOW)
    assert len(board.windows() or ()) == WINDOWS_KEPT
    for number in range(KEPT + 40):
        board.take_step(step_undo(number + 1, [FIRST], GENESIS), NOW)
    assert len(list(board.reorgs)) == KEPT


def test_growth_counts_from_the_second_report_on_and_through_restarts() -> None:
    board = Board()
    for second, (value, started) in enumerate([(1_000, 1), (1_005, 1), (1_010, 1), (4, 2), (6, 2)]):
        at = NOW + second * 1_000
        board.take_metrics(metrics("worker", at, counter(named.RECORDS, value, agent="memory"), started_ms=started), at)
    board.advance(NOW + 5_000)
    assert board.measures().rate(named.RECORDS) == pytest.approx((5 + 5 + 2) / 10)
    assert board.measures().total(named.RECORDS) == 6
    board.advance(NOW + TTL_MS + 60_000)
    assert board.measures().rate(named.RECORDS) is None


def test_errors_that_no_process_reports_are_not_none_at_all() -> None:
    board = Board()
    board.take_metrics(metrics("worker", NOW, gauge(named.CPU, 1.0)), NOW)
    board.advance(NOW + 1_000)
    assert series(board, "error_rate", 60).latest is None
    assert gateway_metrics(board, summary(board, []), slo(board)).error_rate is None
    board.take_metrics(metrics("worker", NOW + 1_000, counter(named.ERRORS, 0, category="network")), NOW + 1_000)
    board.advance(NOW + 2_000)
    assert series(board, "error_rate", 60).latest == 0.0


def test_a_counter_that_appears_later_counts_from_nought() -> None:
    board = Board()
    board.take_metrics(metrics("worker", NOW, gauge(named.CPU, 1.0)), NOW)
    board.advance(NOW + 1_000)
    board.take_metrics(metrics("worker", NOW + 1_000, counter(named.ERRORS, 5, category="network")), NOW + 1_000)
    board.advance(NOW + 2_000)
    assert series(board, "error_rate", 60).latest == 0.5


def test_quantiles_are_of_the_last_minute_and_of_all_processes() -> None:
    name, board = named.QUERY_LATENCY, Board()
    for second, (low, high) in enumerate([(0, 0), (50, 50), (50, 100)]):
        for instance in "12":
            at = NOW + second * 1_000
            samples = (bucket(name, "10", low), bucket(name, "20", high), bucket(name, "+Inf", high))
            board.take_metrics(metrics("gateway", at, *samples, instance=instance), at)
    board.advance(NOW + 3_000)
    assert board.measures().quantile(name, 0.5) == pytest.approx(10)
    assert board.measures().quantile(name, 0.75) == pytest.approx(15)
    board.take_metrics(metrics("gateway", NOW + 90_000, *samples), NOW + 90_000)
    board.advance(NOW + 91_000)
    assert board.measures().quantile(name, 0.5) is None
    assert len(board.processes.growth[f"{name}_bucket"]._seconds) <= SPAN


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile({"10": 1.0, "+Inf": 10.0}, 0.95) == 10.0
    assert quantile({}, 0.5) is None
    assert quantile({"10": 0.0, "+Inf": 0.0}, 0.5) is None


def test_an_alert_fires_until_it_is_resolved_or_taken_back() -> None:
    board = Board()
    board.take_alert(b"a", alert("Slow", NOW, severity="warning", agent="memory"))
    board.take_alert(b"b", alert("Down", NOW, severity="critical"))
    board.take_alert(b"c", alert("Full", NOW, severity="info"))
    assert [one.rule for one in alert_list(board).firing] == ["Down", "Slow", "Full"]
    board.take_alert(b"a", alert("Slow", NOW, severity="warning", agent="memory"))
    assert board.fired == 3, "one that is said again has not fired again"
    board.take_alert(b"b", alert("Down", NOW + 9, "resolved"))
    board.take_alert(b"c", None)
    found = alert_list(board)
    assert ([one.rule for one in found.firing], [one.rule for one in found.resolved]) == (["Slow"], ["Down"])


def test_windows_are_absent_where_nobody_makes_them_any_more() -> None:
    board = Board()
    board.advance(NOW)
    assert not slo(board).available
    board.take_window(window("slo", "availability", NOW, budget_left=0.7), NOW)
    board.take_window(window("slo", "availability", NOW - 60_000, budget_left=0.1), NOW)  # older: does not count
    board.take_window(window("slo", "latency", NOW, budget_left=-0.2), NOW)
    found = slo(board)
    assert [(one.name, one.values["budget_left"]) for one in found.objectives] == [("availability", 0.7), ("latency", -0.2)]
    assert gateway_metrics(board, summary(board, []), found).sla_compliance == 0.5
    board.advance(NOW + WINDOWS_TTL_MS + 1)
    assert (slo(board).available, slo(board).objectives) == (False, [])


def test_a_reorg_heals_when_the_last_partition_is_past_it() -> None:
    board = Board()
    for partition in (0, 1):
        board.take_tip(tip("memory", partition, 3), NOW)
    board.take_step(step_undo(4, [FIRST], GENESIS), NOW + 100)
    (healing,) = board.reorgs
    assert healing.heal_ms is None
    board.take_tip(tip("memory", 0, 4), NOW + 150)
    assert healing.waits_for == {("memory", 1)}
    board.take_tip(tip("memory", 1, 5), NOW + 420)
    assert (healing.heal_ms, healing.waits_for) == (320, set())


def test_stream_agents_may_be_read_before_the_undo() -> None:
    board = Board()
    board.take_tip(tip("memory", 0, 3), NOW)
    board.take_tip(tip("memory", 0, 4), NOW + 180)
    board.take_step(step_undo(4, [FIRST], GENESIS), NOW + 100)
    (healing,) = board.reorgs
    assert healing.heal_ms == 80


def test_how_long_it_took_is_not_told_of_what_was_not_seen() -> None:
    board = Board()
    board.take_step(step_undo(2, [FIRST], GENESIS), NOW)
    board.take_tip(tip("memory", 0, 9), NOW)
    board.take_step(step_undo(4, [FIRST], GENESIS), NOW)
    assert [(healing.heal_ms, healing.waits_for) for healing in board.reorgs] == [(None, set())] * 2


def test_the_map_tells_lag_rewinds_and_who_holds_what() -> None:
    board = Board()
    labels = {"agent": "memory", "topic": "chain.transactions"}
    board.take_metrics(
        metrics(
            "worker",
            NOW,
            gauge(named.POSITION, 90, partition="0", **labels),
            gauge(named.RECEIVED, 100, partition="0", **labels),
            gauge(named.BEHIND, 2.5, agent="memory", partition="0"),
            counter(named.REWINDS, 3, agent="memory"),
        ),
        NOW,
    )
    board.take_tip(tip("memory", 0, 3), NOW)
    board.take_tip(tip("memory", 1, 3), NOW)
    board.take_tip(tip("custom", 0, 3), NOW)
    board.advance(NOW)
    found = pipeline(board, components(board))
    memory = next(agent for agent in found.agents if agent.name == "memory")
    assert (memory.status, memory.lag, memory.seconds_behind, memory.rewinds, memory.block) == ("degraded", 10, 2.5, 3, 1)
    assert [(one.partition, one.instance, one.lag) for one in memory.partitions] == [(0, "1", 10), (1, None, None)]
    assert next(node for node in found.nodes if node.id == "custom").status == "gone"
    assert ("chain.transactions", "custom") in {(flow.source, flow.target) for flow in found.flows}
    names = {node.id for node in found.nodes}
    assert {name for flow in found.flows for name in (flow.source, flow.target)} <= names
    assert len({(node.column, node.row) for node in found.nodes}) == len(found.nodes)
    board.advance(NOW + TTL_MS + 1)
    gone = next(agent for agent in pipeline(board, components(board)).agents if agent.name == "memory")
    assert (gone.status, gone.lag, gone.rewinds) == ("gone", None, None)


def test_history_goes_by_the_minute_where_seconds_do_not_reach() -> None:
    board = Board()
    for second in range(1_000):
        at = NOW + second * 1_000
        board.take_metrics(metrics("gateway", at, gauge(named.DISK, second / 20)), at)
        board.advance(at)
    short, long = series(board, "disk_percent", 300), series(board, "disk_percent", 3_600)
    assert (short.step, len(short.values), short.latest) == (1, 300, 49.95)
    assert short.start == NOW // 1_000 + 999 - 300
    assert (long.step, len(long.values)) == (60, 17)
    assert short.trend is not None
    assert (short.trend.direction, short.trend.meaning) == ("rising", "worse")
    assert short.trend.ahead == pytest.approx(49.95 + 0.05 * short.trend.horizon)


NEEDS = Dependencies({"memory": ["memory_store"], "gateway": ["memory_store"], "memory_store": []})
DOWN = {"memory_store": Finding("failed", "no answer within 2 s"), "memory": Finding("healthy"), "gateway": Finding("healthy")}


def test_the_verdict_names_the_cause_and_who_suffers_from_it() -> None:
    board = Board()
    board.take_health(health("worker", NOW - TTL_MS - 1), NOW - TTL_MS - 1)
    board.take_health(health("gateway", NOW), NOW)
    verdict = judge(NEEDS, DOWN)
    board.take_verdict(verdict, ["disk used reaches 95 % in 14 min"], NOW)
    board.advance(NOW)
    found = summary(board, components(board))
    assert (found.status, found.score, found.components) == ("failed", verdict.score, 3)
    assert (found.healthy, found.degraded, found.failed, found.gone) == (0, 2, 1, 1)
    assert found.causes == [
        "memory_store failed: no answer within 2 s (so gateway, memory degraded)",
        "worker 1 has fallen silent",
    ]
    assert found.predictions == ["disk used reaches 95 % in 14 min"]
    status = {node.id: node.status for node in pipeline(board, components(board)).nodes}
    assert (status["memory_store"], status["gateway"], status["vector_store"]) == ("failed", "degraded", None)
    elsewhere = {node.id: node.status for node in pipeline(board, [], {"vector_store": "memory_store"}).nodes}
    assert elsewhere["vector_store"] == "failed"
    numbers = gateway_metrics(board, found, slo(board))
    assert (numbers.total_components, numbers.healthy_components, numbers.failed_components) == (3, 0, 1)


def test_an_old_verdict_says_nothing_of_now() -> None:
    board = Board()
    board.take_verdict(judge(NEEDS, DOWN), [], NOW)
    board.advance(NOW + VERDICT_TTL_MS + 1)
    found = summary(board, components(board))
    assert (found.status, found.score, found.causes) == (None, None, [])


def test_who_looks_late_sees_no_gap_and_long_silence_is_one() -> None:
    board = Board()
    for second in (0, 1, 4, 5, 60):
        at = NOW + second * 1_000
        board.take_metrics(metrics("gateway", at, gauge(named.DISK, 40.0 + second)), at)
        board.advance(at)
    values = series(board, "disk_percent", 300).values
    assert values[:6] == [40.0, 41.0, 44.0, 44.0, 44.0, 45.0]
    assert values[6:].count(None) == 60 - 5 - TTL_MS // 1_000 - 1
    assert values[-TTL_MS // 1_000 - 1 :] == [100.0] * (TTL_MS // 1_000 + 1)


def test_nothing_impossible_is_foretold() -> None:
    board = Board()
    for second in range(120):
        at = NOW + second * 1_000
        board.take_metrics(
            metrics("gateway", at, gauge(named.HIT_RATE, 0.4 + second / 240), gauge(named.BEHIND, 30.0 - second / 4)), at
        )
        board.advance(at)
    rising, falling = series(board, "cache_hit_rate", 300).trend, series(board, "seconds_behind", 300).trend
    assert rising is not None
    assert falling is not None
    assert (rising.ahead, rising.high, falling.ahead, falling.low) == (1.0, 1.0, 0.0, 0.0)


def test_who_ends_in_order_is_gone_at_once_and_forgotten_for_a_successor() -> None:
    board = Board()
    board.take_metrics(metrics("worker", NOW, gauge(named.DISK, 40.0)), NOW)
    board.take_metrics(metrics("worker", NOW + 1, gauge(named.DISK, 40.0), gauge(ENDED, 1.0)), NOW + 1)
    board.take_health(health("worker", NOW + 1, GOOD), NOW + 1)
    board.advance(NOW + 2)
    assert statuses(board) == {"worker/1": "gone"}
    assert board.measures().gauge(named.DISK, max) is None
    assert summary(board, components(board)).causes == ["worker 1 has ended"]
    board.take_health(health("worker", NOW + 3, GOOD, instance="2"), NOW + 3)
    assert statuses(board) == {"worker/2": "healthy"}
    board.take_metrics(metrics("worker", NOW + 4, gauge(named.DISK, 41.0)), NOW + 4)
    assert statuses(board) == {"worker/1": "healthy", "worker/2": "healthy"}
