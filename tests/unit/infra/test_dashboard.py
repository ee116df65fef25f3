"""The Grafana dashboard asks only for metrics that the programs have."""

from __future__ import annotations

import json
import re

import yaml

import streams.producer.metrics
import streams.runtime.metrics
import streams.serving.metrics  # noqa: F401  (each import registers its metrics)
from streams.metrics import REGISTRY
from tests.conftest import ROOT

GRAFANA = ROOT / "infra" / "grafana"


def exported() -> set[str]:
    """Names as they stand in a scrape; families without a sample yet count too."""
    names: set[str] = set()
    for family in REGISTRY.collect():
        names |= {sample.name for sample in family.samples}
        names |= {
            family.name + suffix for suffix in {"counter": ["_total"], "histogram": ["_bucket", "_sum"]}.get(family.type, [""])
        }
    return names


def test_every_metric_of_the_dashboard_is_exported() -> None:
    dashboard = json.loads((GRAFANA / "dashboards" / "monmouth.json").read_text())
    wanted = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"monmouth_\w+", target["expr"])
    }
    assert len(wanted) > 8
    assert wanted <= exported()


def test_panels_use_the_data_source_that_is_provisioned() -> None:
    dashboard = json.loads((GRAFANA / "dashboards" / "monmouth.json").read_text())
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
