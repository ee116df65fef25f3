"""The table of metrics says what the registries have, and every name that the README promised is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.metrics_table import PAGE, documented, written

PROMISED = {
    "system_health_score": "gauge",
    "components_healthy_total": "gauge",
    "components_degraded_total": "gauge",
    "uptime_seconds": "gauge",
    "transaction_latency_ms_histogram": "histogram",
    "throughput_tps": "gauge",
    "cache_hit_rate": "gauge",
    "connection_pool_utilization": "gauge",
    "errors_total": "counter",
    "circuit_breaker_state": "gauge",
    "retry_attempts_total": "counter",
    "recovery_operations_total": "counter",
    "memory_usage_mb": "gauge",
    "cpu_usage_percent": "gauge",
    "disk_usage_percent": "gauge",
    "agents_active_total": "gauge",
    "rag_queries_total": "counter",
    "memories_stored_total": "counter",
    "anps_scores": "histogram",
    "cross_exex_messages_total": "counter",
}


def test_the_table_is_what_the_registries_have() -> None:
    """In a process of its own, where no test has registered anything."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.metrics_table", "--print"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    missing = set(done.stdout.splitlines()) - set(written().splitlines())
    assert not missing, "python -m tests.metrics_table writes the table anew"
    assert written() == done.stdout


@pytest.mark.parametrize(("name", "kind"), PROMISED.items())
def test_every_promised_metric_is_registered_where_it_is_measured(name: str, kind: str) -> None:
    assert {row.type for row in documented() if row.name == f"monmouth_{name}"} == {kind}


ELSEWHERE = {
    "connection_pool_utilization": "tests/unit/test_pools.py",
    "recovery_operations_total": "tests/unit/ops/recovery/test_supervisor.py",
}


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_metric_is_moved_by_its_event_in_a_test_that_the_page_names(name: str) -> None:
    where = ELSEWHERE.get(name, "tests/e2e/test_metrics_live.py")
    assert f"(../{where})" in PAGE.read_text()
    assert f"monmouth_{name}" in (ROOT / where).read_text()
