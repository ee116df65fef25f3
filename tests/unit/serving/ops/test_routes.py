"""The dashboard over HTTP, and its files."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.ops.reports import HealthPart
from streams.serving.app import create_app
from streams.serving.client import AsyncClient
from streams.serving.client_errors import BadRequestError, GatewayError
from streams.serving.ops import series as named
from streams.serving.ops.exports import COLUMNS, exported
from streams.serving.ops.page import NAMES, page_file
from tests.identity import OPERATOR_TOKEN, member
from tests.unit.serving.ops.said import NOW, alert, gauge, health, metrics, window
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, World, client

HOSTILE = '=cmd|"/c calc"!A1</script><img src=x onerror=alert(1)>'


@pytest.fixture
async def told(world: World) -> World:
    """A world that has something to show."""
    board = world.board
    for second in range(30):
        at = NOW + second * 1_000
        board.take_metrics(metrics("gateway", at, gauge(named.DISK, 40 + second / 10), gauge(named.HIT_RATE, 0.5)), at)
        board.take_health(health("gateway", at, HealthPart("broker", "degraded", 0.5, "slow")), at)
        board.advance(at)
    board.take_alert(b"a", alert("Slow", NOW, agent="memory"))
    board.take_window(window("slo", "availability", NOW, budget_left=0.9), NOW)
    await world.publish(ALICE)
    return world


async def test_the_whole_and_its_parts(told: World, http: httpx.AsyncClient) -> None:
    state = (await http.get("/api/dashboard")).json()
    assert state["health"] == {
        "status": "degraded",
        "score": 0.5,
        "components": 1,
        "healthy": 0,
        "degraded": 1,
        "failed": 0,
        "gone": 0,
        "causes": ["gateway 1: broker degraded, slow"],
        "predictions": [],
    }
    assert (state["metrics"]["system_health_score"], state["metrics"]["alerts_active"]) == (0.5, 1)
    assert (state["performance"]["cache_hit_rate"], state["performance"]["average_latency_ms"]) == (0.5, None)
    assert state["metrics"]["sla_compliance"] == 1.0
    assert (state["agents"]["known"], state["agents"]["recent"][0]["agent"]) == (1, "0x" + ALICE.hex())
    assert state["chain"]["head"]["number"] == 0
    assert {one["name"] for one in state["series"]} == set(named.SERIES)
    assert (await http.get("/api/components")).json()["components"] == state["components"]
    assert (await http.get("/api/alerts")).json()["firing"] == state["alerts"]["firing"]
    series = (await http.get("/api/performance/disk_percent?duration=20s")).json()
    assert (series["unit"], series["step"], len(series["values"])) == ("%", 1, 20)
    assert (series["trend"]["direction"], series["trend"]["meaning"]) == ("rising", "worse")
    assert series["trend"]["low"] <= series["trend"]["ahead"] <= series["trend"]["high"]


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/api/performance/nothing", 404, "not_found"),
        ("/api/performance/disk_percent?duration=x", 400, "bad_request"),
        ("/api/performance/disk_percent?duration=0", 400, "bad_request"),
        ("/api/performance/disk_percent?duration=13h", 400, "bad_request"),
        ("/api/dashboard/export/pdf", 404, "not_found"),
    ],
)
async def test_refusals_look_like_all_others(http: httpx.AsyncClient, path: str, status: int, error: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json().keys() == {"error", "message", "hint"}


async def test_only_the_operator_sees_it(world: World) -> None:
    paths = ("/api/dashboard", "/api/components", "/api/alerts", "/api/performance/disk_percent", "/api/dashboard/export/json")
    async with client(world, token=world.token_of(member(1))) as http:
        assert {(await http.get(path)).status_code for path in paths} == {403}


async def test_the_page_is_open_and_strict(world: World) -> None:
    async with client(world, token="nobody") as http:
        for path in NAMES:
            answer = await http.get(path)
            assert answer.status_code == 200, path
            assert answer.content == page_file(path).content
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await http.get("/dashboard/nothing.js")).status_code == 401


async def test_clients_read_it_and_files_are_the_same_bytes(told: World, http: httpx.AsyncClient) -> None:
    async with served(create_app(told.services)) as url, AsyncClient(url, token=OPERATOR_TOKEN) as reader:
        assert (await reader.dashboard()).health.score == 0.5
        assert (await reader.components()).components[0].component == "gateway"
        assert (await reader.alerts()).firing[0].rule == "Slow"
        assert (await reader.performance("disk_percent", "10s")).latest is not None
        for name, extension in (("json", "json"), ("csv", "csv"), ("html", "html"), ("prometheus", "prom"), ("influx", "lp")):
            answer = await http.get(f"/api/dashboard/export/{name}")
            assert await reader.export_dashboard(name) == answer.content == exported(told.dashboard.state(), name)
            assert f'.{extension}"' in answer.headers["content-disposition"]
        with pytest.raises(BadRequestError):
            await reader.performance("disk_percent", "long")
        with pytest.raises(GatewayError, match="no format"):
            await reader.export_dashboard("pdf")


async def test_numbers_go_to_other_systems_of_measurement(told: World) -> None:
    hostile = 'evil",x="1\n2 = ,\\'
    told.board.take_window(window("slo", hostile, NOW, budget_left=-0.25), NOW)
    state = told.dashboard.state()
    samples = {
        (sample.name, sample.labels["item"]): sample.value
        for family in text_string_to_metric_families(exported(state, "prometheus").decode())
        for sample in family.samples
    }
    assert samples["monmouth_dashboard_metrics_system_health_score", ""] == state.metrics.system_health_score
    assert samples["monmouth_dashboard_service_level_budget_left", f"{hostile}/60s"] == -0.25
    newest = {one.name: [value for value in one.values if value is not None][-1:] for one in state.series}
    assert {item: [value] for (name, item), value in samples.items() if name == "monmouth_dashboard_series_value"} == {
        name: value for name, value in newest.items() if value
    }
    lines = exported(state, "influx").decode().splitlines()
    tag = r"(,item=([^,= \\]|\\[,= ]|\\(?![,= ]))+)?"
    assert all(re.fullmatch(rf"monmouth_dashboard_[a-z0-9_]+{tag} value=-?[0-9.e+-]+ [0-9]{{19}}", line) for line in lines), (
        lines
    )
    points = sum(value is not None for one in state.series for value in one.values)
    assert sum(line.startswith("monmouth_dashboard_series_value,") for line in lines) == points > 0
    unknown = [name for name, value in state.performance.model_dump().items() if value is None]
    assert unknown and not [line for line in lines for name in unknown if f"performance_{name} " in line]


async def test_csv_has_one_row_a_value_and_no_formula(told: World) -> None:
    told.board.take_alert(b"b", alert(HOSTILE, NOW, name="\t=1+1"))
    told.board.take_health(health("+worker", NOW, instance="@x"), NOW)
    told.board.take_window(window("slo", "latency", NOW, budget_left=-0.25), NOW)
    rows = list(csv.reader(io.StringIO(exported(told.dashboard.state(), "csv").decode())))
    assert rows[0] == list(COLUMNS)
    assert {len(row) for row in rows} == {len(COLUMNS)}
    for cell in (cell for row in rows for cell in row):
        number = cell.lstrip("-").replace(".", "").isdigit()
        assert number or cell.lstrip(" ")[:1] not in {"=", "+", "-", "@", "\t", "\r"}, cell
    assert ["service level", "latency/60s", "budget_left", "-0.25"] in [row[:4] for row in rows], "a number stays a number"
    assert sum(row[:2] == ["series", "disk_percent"] for row in rows) == 30


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_page_that_is_exported_fetches_nothing_and_runs_nothing(told: World) -> None:
    told.board.take_alert(b"b", alert(HOSTILE, NOW, name=HOSTILE))
    page = Page()
    page.feed(exported(told.dashboard.state(), "html").decode())
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not {"src", "href", "srcset", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    assert HOSTILE in page.text
    assert "polyline" in {tag for tag, _ in page.tags}


async def test_json_is_what_the_route_says(told: World, http: httpx.AsyncClient) -> None:
    assert json.loads(exported(told.dashboard.state(), "json")) == (await http.get("/api/dashboard")).json()
