"""Writes the dashboards as Grafana reads them: ``python3 -m infra.grafana.generate``.

Invariant: the same panels give the same bytes, so what is committed is what the code says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.grafana.panels import DASHBOARDS, Dashboard, Panel

FOLDER = Path(__file__).with_name("dashboards")
SOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS, WIDTH, HEIGHT, STAT = 24, 12, 8, 6


def written(dashboard: Dashboard) -> str:
    """The file of one."""
    return json.dumps(_model(dashboard), indent=1) + "\n"


def _model(dashboard: Dashboard) -> dict[str, Any]:
    panels, x, y = [], 0, 0
    for number, panel in enumerate(dashboard.panels, 1):
        width = STAT if panel.kind == "stat" else WIDTH
        if x + width > COLUMNS:
            x, y = 0, y + HEIGHT
        panels.append(_panel(panel, number, {"h": HEIGHT, "w": width, "x": x, "y": y}))
        x += width
    links = [{"title": other.title, "type": "link", "url": f"/d/{other.uid}"} for other in DASHBOARDS if other is not dashboard]
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "",
        "tags": ["monmouth"],
        "links": links,
        "templating": {"list": []},
        "annotations": {"list": []},
        "panels": panels,
    }


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "expr": expression, "legendFormat": legend}
        for at, (expression, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "title": panel.title,
        "description": panel.description,
        "type": panel.kind,
        "gridPos": place,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": targets,
    }


def main() -> None:
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(written(dashboard))


if __name__ == "__main__":
    main()
