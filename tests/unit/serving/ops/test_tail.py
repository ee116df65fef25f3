"""What the tail gives the board: records of others are no reason to fail."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from streams.metrics import REGISTRY
from streams.serving.ops.board import Board
from streams.serving.ops.series import DISK, MEMORY, POSITION, RECEIVED
from streams.serving.ops.tail import OpsTail
from streams.serving.ops.trend import trend
from streams.settings import KafkaSettings
from streams.topics import OPS_METRICS
from tests.unit.serving.ops.said import gauge, metrics


@pytest.mark.parametrize("wrong", [1e200, -1e200, float("inf"), float("nan")])
async def test_a_sample_that_cannot_be_reckoned_with_is_counted_and_left_out(wrong: float) -> None:
    board = Board()
    tail = OpsTail(KafkaSettings(), board, lambda: None)
    before = REGISTRY.get_sample_value("monmouth_dashboard_samples_refused_total") or 0
    begin = round(1000 * time.time()) - 60_000
    tail._live_from = {TopicPartition(f"monmouth.{OPS_METRICS}", 0): 60}
    for second in range(60):
        at = begin + 1_000 * second
        places = [gauge(name, wrong, agent="memory", topic="t", partition="0") for name in (POSITION, RECEIVED)]
        value = wrong if second == 30 else 50.0 + second / 10
        report = metrics("worker", at, gauge(MEMORY, value), gauge(DISK, 50.0), *places)
        record = SimpleNamespace(
            topic=f"monmouth.{OPS_METRICS}", partition=0, offset=second, timestamp=at, value=report.to_value()
        )
        await tail._fold_all([record])
        board.advance(at)
    assert trend(board.history["memory_mb"].seconds().values, 1, 30) is not None
    assert board.measures().waiting() is None
    assert REGISTRY.get_sample_value("monmouth_dashboard_samples_refused_total") == before + 121
