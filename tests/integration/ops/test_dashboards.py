"""Every query of every panel is answered by a real Prometheus that scrapes a process with all our metrics; others are not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from infra.grafana.panels import DASHBOARDS, Dashboard
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.promql import rule_group
from streams.ops.slo.objectives import default_objectives
from streams.ops.slo.promql import recording_group
from tests.conftest import ROOT
from tests.exporter import exporting
from tests.monitoring import Prometheus, prometheus, until

NAMES = re.compile(r"\b(?:monmouth_\w+|ALERTS|up)\b")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """All metrics have moved between two scrapes, among them failed requests; some alert fires."""
    rules = {"groups": [recording_group(default_objectives(), 0.5), *rule_group(default_rules(), 0.5)["groups"]]}
    with exporting() as process:
        process.run("touch()")
        process.run("metric('monmouth_http_request_latency_ms').labels('x', 'GET', '503').observe(5)")
        with prometheus(tmp_path_factory.mktemp("prometheus"), [process.target], rules) as found:
            until(lambda: found.query("monmouth_http_request_latency_ms_count"), "nothing is scraped")
            process.run("touch()")
            process.run("metric('monmouth_http_request_latency_ms').labels('x', 'GET', '503').observe(5)")
            until(found.firing, "no alert fires")
            until(lambda: found.query("monmouth_slo_burn"), "no burn is recorded")
            yield found


def unanswered(server: Prometheus, expression: str) -> list[str]:
    """What lacks a series: the expression, or a metric that it names."""
    return [asked for asked in (expression, *NAMES.findall(expression)) if not server.query(asked)]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_every_panel_has_data(server: Prometheus, dashboard: Dashboard) -> None:
    committed = json.loads((ROOT / "infra/grafana/dashboards" / f"{dashboard.uid}.json").read_text())
    queries = {(panel["title"], target["expr"]) for panel in committed["panels"] for target in panel["targets"]}
    assert len(queries) >= len(dashboard.panels)
    missing = {title: asked for title, expression in sorted(queries) if (asked := unanswered(server, expression))}
    assert missing == {}


def test_a_panel_whose_metric_nobody_has_is_found_out(server: Prometheus) -> None:
    assert unanswered(server, "sum(monmouth_no_such_metric_total) or vector(0)") == ["monmouth_no_such_metric_total"]
    assert unanswered(server, 'monmouth_uptime_seconds{instance="nobody"}') == ['monmouth_uptime_seconds{instance="nobody"}']
