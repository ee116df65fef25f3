"""Dashboards and rules that are committed are those of the code, and ask only for metrics that programs have."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml
from click.testing import CliRunner

from infra.grafana.generate import FOLDER, written
from infra.grafana.panels import DASHBOARDS, Dashboard
from streams.cli import cli
from streams.metrics import REGISTRY
from tests.conftest import ROOT
from tests.exporter import import_metrics
from tests.monitoring import program

GRAFANA = ROOT / "infra" / "grafana"
RECORDED = {"monmouth_slo_burn_rate", "monmouth_slo_burn", "monmouth_slo_budget_left"}
every = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)


def exported() -> set[str]:
    """Names as they stand in a scrape; families without a sample yet count too."""
    import_metrics()
    names: set[str] = set()
    for family in REGISTRY.collect():
        names |= {sample.name for sample in family.samples}
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        names |= {family.name + suffix for suffix in suffixes}
    return names


@every
def test_what_is_committed_is_what_the_code_says(dashboard: Dashboard) -> None:
    assert (FOLDER / f"{dashboard.uid}.json").read_text() == written(dashboard), "run python3 -m infra.grafana.generate"


def test_no_other_dashboard_is_committed() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == {dashboard.uid for dashboard in DASHBOARDS}


def test_every_metric_of_a_panel_is_exported() -> None:
    wanted = {
        name
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
        for expression, _ in panel.queries
        for name in re.findall(r"monmouth_\w+", expression)
    }
    assert len(wanted) > 60
    assert wanted - exported() == RECORDED


@every
def test_panels_do_not_overlap_and_use_the_data_source_that_is_provisioned(dashboard: Dashboard) -> None:
    panels = json.loads(written(dashboard))["panels"]
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    taken = {(place["x"] + x, place["y"]) for place in places for x in range(place["w"])}
    assert len(taken) == sum(place["w"] for place in places)
    assert max(x for x, _ in taken) < 24


def test_prometheus_has_the_rules_that_the_command_writes() -> None:
    assert (ROOT / "infra/prometheus/rules.json").read_text() == CliRunner().invoke(cli, ["alerts", "prometheus"]).output, (
        "run monmouth alerts prometheus > infra/prometheus/rules.json"
    )


def test_promtool_takes_the_configuration() -> None:
    argv = [program("promtool"), "check", "config", str(ROOT / "infra/prometheus/prometheus.yml")]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "rules found" in answer.stdout
