"""The dashboard in a real browser, on a real gateway and broker."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from streams.ops.reports import HealthPart
from streams.serving.ops import series as named
from streams.serving.root import Root
from tests.browser_fixtures import chromium
from tests.integration.serving.backstage import Backstage, backstage
from tests.steps import block, step_new, step_undo
from tests.unit.serving.ops.said import alert, counter, gauge, health, metrics
from tests.unit.serving.world import ALICE

pytestmark = [pytest.mark.kafka]
__all__ = ["chromium"]
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)

HOSTILE = '</script><img src=x onerror="window.hacked=1"><svg onload="window.hacked=2">'
NAMED = {"button", "link", "textbox", "searchbox", "combobox", "img", "image", "region", "table", "checkbox", "progressbar"}
"""Roles that say nothing without a name."""
GENESIS = block(0, 0, bytes(32))
FIRST = block(1, 0, GENESIS.hash)


def now_ms() -> int:
    return int(time.time() * 1_000)


def worker() -> tuple[Any, ...]:
    """A worker that holds a partition and lags."""
    labels = {"agent": "memory", "topic": "chain.transactions", "partition": "0"}
    samples = (
        gauge(named.POSITION, 88, **labels),
        gauge(named.RECEIVED, 100, **labels),
        gauge(named.BEHIND, 1.5, agent="memory", partition="0"),
        counter(named.REWINDS, 2, agent="memory"),
        gauge(named.DISK, 41.5),
    )
    return metrics("worker", now_ms(), *samples), health("worker", now_ms(), HealthPart("broker", "degraded", 0.5, "slow"))


@pytest.fixture(scope="module")
def stage(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backstage]:
    with backstage(broker, tmp_path_factory.mktemp("gateway")) as made:
        made.steps(step_new(0, GENESIS), step_new(1, FIRST), step_undo(2, [FIRST], GENESIS))
        made.publish(Root(ALICE, 3, b"\x09" * 32, b"\x07" * 32, GENESIS))
        yield made


class Visit:
    """A page, what it asked for, and what it complained about."""

    def __init__(self, stage: Backstage, context: BrowserContext) -> None:
        self.stage = stage
        self.page: Page = context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def open(self) -> Page:
        """Shows the token and waits until the page is live."""
        self.page.goto(f"{self.stage.url}/dashboard")
        self.page.locator("#login[open]").wait_for()
        self.page.locator("#token").fill(self.stage.token)
        self.page.locator("#token").press("Enter")
        self.page.locator('#link[data-state="live"]').wait_for()
        return self.page


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce", accept_downloads=True)
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def visit(stage: Backstage, context: BrowserContext) -> Visit:
    """One page for all that only look."""
    made = Visit(stage, context)
    made.open()
    return made


@pytest.fixture
def page(visit: Visit) -> Page:
    """The page as a user finds it: at the top, nothing focused, no dialog."""
    visit.page.set_viewport_size({"width": 1280, "height": 800})
    visit.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    visit.page.evaluate(
        """() => {
            document.body.tabIndex = -1;
            document.body.focus(); // so that Tab begins at the top
            document.body.removeAttribute("tabindex");
            window.scrollTo(0, 0);
        }"""
    )
    return visit.page


def test_the_token_is_asked_for_and_kept_in_memory_alone(visit: Visit, stage: Backstage, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{stage.url}/dashboard")
    page.locator("#token").fill("wrong wrong wrong wrong wrong wrong")
    page.locator("#token").press("Enter")
    expect(page.locator("#login-error")).to_contain_text("not valid")
    assert page.locator("#health").text_content() == ""
    page.locator("#token").fill(stage.token)
    page.get_by_role("button", name="Open").click()
    page.locator('#link[data-state="live"]').wait_for()
    kept = page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, name])")
    assert stage.token not in kept
    assert stage.token not in page.content()
    page.reload()
    page.locator("#login[open]").wait_for()
    page.close()
    assert not any(stage.token in url for url in visit.asked)


def test_a_record_in_the_log_is_on_the_page_within_a_second(page: Page, stage: Backstage) -> None:
    page.evaluate(
        """() => {
            window.shown = {};
            new MutationObserver(() => {
                for (const item of document.querySelectorAll("#alerts-body strong"))
                    window.shown[item.textContent] ??= Date.now();
            }).observe(document.getElementById("alerts-body"), {childList: true, subtree: true, characterData: true});
        }"""
    )
    delays = []
    for number in range(5):
        rule = f"Measured{number}"
        written = now_ms()
        stage.say(alert(rule, written))
        page.get_by_text(rule, exact=True).wait_for()
        delays.append(page.evaluate("rule => window.shown[rule]", rule) - written)
    print(f"record to page: {sorted(delays)} ms")
    assert median(delays) < 1_000
    stage.say(*(alert(f"Measured{number}", now_ms(), "resolved") for number in range(5)))
    expect(page.get_by_text("No alert fires.")).to_be_visible()


def test_what_the_log_says_is_on_the_map_and_in_the_tables(page: Page, stage: Backstage) -> None:
    stage.say(*worker(), health("gateway", now_ms()))
    node = page.locator('#map [data-key="memory"]')
    expect(node).to_contain_text("lag 12")
    expect(node).to_contain_text("↺ 2")
    expect(page.locator("#processes-body")).to_contain_text("worker")
    stage.say(*worker())  # the first may count no more: the verdict is made anew only every two seconds
    expect(page.locator("#health .causes")).to_contain_text("broker degraded: worker 1: slow")
    expect(page.locator("#reorgs-body")).to_contain_text("1 block")
    expect(page.locator("#slo-body")).to_contain_text("nobody says how they stand")
    expect(page.locator('[data-series="disk_percent"]')).to_contain_text("41.5")
    expect(page.locator('#map [data-key="gateway"]')).to_contain_text("1 of 1 alive")


def test_what_others_write_is_text(page: Page, stage: Backstage, visit: Visit) -> None:
    stage.say(
        alert(HOSTILE, now_ms(), agent=HOSTILE),
        health("worker", now_ms(), HealthPart(HOSTILE, "failed", 0.0, HOSTILE), instance=HOSTILE),
    )
    expect(page.locator("#alerts-body")).to_contain_text(HOSTILE)
    expect(page.locator("#processes-body")).to_contain_text(HOSTILE)
    assert page.evaluate("() => window.hacked") is None
    assert page.evaluate("() => document.querySelectorAll('img, body script, [onerror], [onload]').length") == 0
    refused = page.evaluate("() => { try { document.body.innerHTML += ' '; return 'done'; } catch { return 'refused'; } }")
    assert refused == "refused", "the page could make markup of text"
    visit.complaints.clear()
    stage.say(alert(HOSTILE, now_ms(), "resolved", agent=HOSTILE))


def test_the_keyboard_reaches_everything_and_focus_shows(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.getElementById('main').contains(document.activeElement)")
    page.locator(".skip").focus()
    reached: list[str] = []
    for _ in range(200):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
                const at = document.activeElement;
                if (at === document.body) return null;
                const box = at.getBoundingClientRect(), style = getComputedStyle(at);
                return {
                    name: at.id || at.getAttribute("href") || at.getAttribute("aria-label") || at.textContent.slice(0, 40),
                    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
                    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
                };
            }"""
        )
        if found is None:
            break
        reached.append(found["name"])
        assert found["seen"], found
        assert found["outlined"], found
    assert len(reached) < 200, "focus is caught"
    wanted = {"#pipeline", "theme", "keys", "span", "address", "Map of the pipeline, scrolls sideways"}
    assert wanted <= set(reached)
    assert [name for name in reached if name in {"JSON", "CSV", "HTML"}] == ["JSON", "CSV", "HTML"]


def test_shortcuts_are_listed_work_and_can_be_turned_off(page: Page) -> None:
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Shortcuts")
    expect(dialog).to_be_visible()
    assert dialog.locator("kbd").count() == 12
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.wait_for_function("() => document.activeElement === document.body")  # the focus leaves what is hidden a frame later
    page.keyboard.press("3")
    expect(page.locator("#alerts")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Find an agent by address")).to_be_focused()
    page.keyboard.type("t?3")
    expect(page.locator("#theme-now")).to_have_text("auto")
    assert page.input_value("#address") == "t?3"
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("0x and 40 hex digits")
    page.fill("#address", "0x" + "a1" * 20)
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("Live memories3")
    page.locator("#agents-body button").first.click()
    assert page.input_value("#address") == "0x" + "a1" * 20
    page.fill("#address", "")
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("?")
    page.get_by_label("Single keys do something").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("t")
    expect(page.locator("#theme-now")).to_have_text("auto")
    page.locator("#keys").click()
    page.get_by_label("Single keys do something").check()
    page.keyboard.press("Escape")


def test_everything_has_a_role_and_a_name(page: Page) -> None:
    for role in ("banner", "main", "contentinfo", "search"):
        assert page.get_by_role(role).count() == 1, role  # type: ignore[arg-type]
    assert page.get_by_role("navigation", name="Sections").count() == 1
    levels = page.evaluate("() => [...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), "a level is left out"
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    seen = set()
    for node in nodes:
        role = node.get("role", {}).get("value")
        if not node.get("ignored") and role in NAMED:
            seen.add(role)
            assert node.get("name", {}).get("value", "").strip(), node
    assert {"button", "link", "combobox", "region", "table"} <= seen
    assert page.locator("[aria-live=polite]").count() == 1
    states = page.locator(".badge")
    assert states.count() > 0
    for text in states.all_text_contents():
        assert len(text.strip()) > 2, "a state is told by a word, not by its colour alone"


def test_news_is_told_to_who_listens_but_not_at_every_change(page: Page, stage: Backstage) -> None:
    page.evaluate(
        """() => {
            window.told = [];
            const region = document.getElementById("announcer");
            new MutationObserver(() => window.told.push([Date.now(), region.textContent])).observe(region, {childList: true});
        }"""
    )
    for number in range(6):
        stage.say(alert(f"Told{number}", now_ms(), severity="critical"))
        time.sleep(0.3)
    page.wait_for_function("() => window.told.length > 0")
    told = page.evaluate("() => window.told")
    assert "lert" in told[-1][1]
    gaps = [after - before for (before, _), (after, _) in pairwise(told)]
    assert all(gap >= 4_900 for gap in gaps), "at most one in five seconds"
    stage.say(*(alert(f"Told{number}", now_ms(), "resolved") for number in range(6)))


CONTRASTS = """() => {
    const parse = (text) => { const found = text.match(/[\\d.]+/g); return found ? found.map(Number) : [0, 0, 0, 0]; };
    const opaque = (at) => {
        for (let one = at; one; one = one.parentElement) {
            const colour = parse(getComputedStyle(one).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const light = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.data.trim(), at = walker.currentNode.parentElement;
        if (!text || ["SCRIPT", "STYLE", "TITLE", "NOSCRIPT", "OPTION"].includes(at.nodeName)) continue;
        if (at.namespaceURI.endsWith("svg") && at.nodeName !== "text") continue;
        if (!at.checkVisibility() || at.closest(".hidden, .skip")) continue;
        const style = getComputedStyle(at);
        const drawn = at.nodeName === "text" ? style.fill : style.color;
        const box = at.nodeName === "text" ? at.parentElement.querySelector(":scope > rect") : null;
        const back = box ? parse(getComputedStyle(box).fill) : opaque(at.nodeName === "text" ? at.closest("svg") : at);
        const [high, low] = [light(parse(drawn)), light(back)].sort((a, b) => b - a);
        found.push([(high + 0.05) / (low + 0.05), text.slice(0, 40), drawn, back.join(",")]);
    }
    return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(page: Page, stage: Backstage, scheme: Any) -> None:
    stage.say(*worker(), alert("Contrast", now_ms(), severity="critical"))
    expect(page.locator("#alerts-body")).to_contain_text("Contrast")
    page.emulate_media(color_scheme=scheme)
    found = page.evaluate(CONTRASTS)
    assert len(found) > 100
    faint = [row for row in found if row[0] < 4.5]
    assert not faint, faint[:5]
    stage.say(alert("Contrast", now_ms(), "resolved"))


def test_it_follows_the_system_to_the_dark_and_the_button_overrules(page: Page) -> None:
    def back() -> str:
        found: str = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        return found

    light = back()
    page.emulate_media(color_scheme="dark")
    dark = back()
    assert light != dark
    page.locator("#theme").click()
    assert (page.locator("#theme-now").text_content(), back()) == ("light", light)
    page.locator("#theme").click()
    page.emulate_media(color_scheme="light")
    assert (page.locator("#theme-now").text_content(), back()) == ("dark", dark)
    page.locator("#theme").click()
    assert back() == light


def test_it_fits_a_narrow_screen_and_rests_where_motion_is_unwanted(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    wide = page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter((at) => !at.closest(".scroll, .hidden"))
            .filter((at) => at.getBoundingClientRect().right > 360).map((at) => at.outerHTML.slice(0, 120))"""
    )
    assert not wide, wide[:3]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, summary, select, input, nav a")]
            .filter((at) => at.checkVisibility() && at.getBoundingClientRect().height < 24).map((at) => at.outerHTML)"""
    )
    assert not small, "too small to hit"
    assert page.evaluate("() => document.getAnimations().length") == 0


def test_folded_parts_stay_as_the_reader_left_them(page: Page, stage: Backstage) -> None:
    summary = page.locator("#pipeline summary")
    summary.click()
    for _ in range(2):
        stage.say(*worker())
        page.wait_for_timeout(400)
    expect(page.locator("#stream-agents table")).to_be_visible()
    assert page.evaluate("() => document.activeElement.textContent") == "Stream agents as a table"
    summary.click()


def test_exports_from_the_page_are_the_files_of_the_api(page: Page, context: BrowserContext, tmp_path: Path) -> None:
    files = {}
    for name in ("json", "csv", "html"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name.upper(), exact=True).click()
        files[name] = tmp_path / download.value.suggested_filename
        assert files[name].suffix == f".{name}"
        download.value.save_as(files[name])
    state = json.loads(files["json"].read_bytes())
    assert {"health", "pipeline", "series"} <= state.keys()
    assert next(csv.reader(io.StringIO(files["csv"].read_text())))[:2] == ["section", "item"]
    alone = context.new_page()
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(files["html"].as_uri())
    expect(alone.get_by_role("heading", level=1)).to_contain_text("Monmouth")
    assert alone.get_by_role("img").count() > 0
    assert asked == [files["html"].as_uri()]
    alone.close()


def test_longer_spans_are_asked_for(page: Page) -> None:
    with page.expect_response(lambda answer: "/api/performance/disk_percent?duration=3600" in answer.url):
        page.locator("#span").select_option("3600")
    page.locator("#span").select_option("300")


def test_nothing_leaves_the_gateway_and_nothing_is_complained_about(visit: Visit) -> None:
    origin = urlsplit(visit.stage.url).netloc
    assert len(visit.asked) > 8
    assert {urlsplit(url).netloc for url in visit.asked if not url.startswith("blob:")} == {origin}
    assert visit.complaints == []


def test_a_restart_of_the_gateway_is_told_and_outlived(visit: Visit, page: Page, stage: Backstage) -> None:
    stage.stop()
    banner = page.locator("#stale")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("Stale since")
    expect(page.locator("#link-text")).to_have_text("Connecting again")
    stage.start()
    page.locator('#link[data-state="live"]').wait_for(timeout=20_000)
    expect(banner).to_be_hidden()
    stage.say(alert("AfterTheRestart", now_ms()))
    page.get_by_text("AfterTheRestart", exact=True).wait_for()
    assert not page.locator("#login").is_visible(), "the token is still known"
    assert all("WebSocket" in complaint for complaint in visit.complaints), "that it was not answered meanwhile, nothing else"
    visit.complaints.clear()
