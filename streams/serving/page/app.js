// The page: keeps the state, shows what changed of it, and listens to keys.

import { chart } from "./charts.js";
import { Connection } from "./connection.js";
import { byId, el, show } from "./dom.js";
import { date, plural, time } from "./format.js";
import { map } from "./map.js";
import * as panels from "./panels.js";

const LIVE_SPAN = "300";
const ANNOUNCE_EVERY = 5000;
const SHORTCUTS = [
  ["?", "This list", () => byId("shortcuts").showModal()],
  ["/", "Find an agent", () => byId("address").focus()],
  ["t", "Next theme", nextTheme],
  ["1", "Overview", () => goTo("overview")],
  ["2", "Pipeline", () => goTo("pipeline")],
  ["3", "Alerts", () => goTo("alerts")],
  ["4", "Service levels", () => goTo("slo")],
  ["5", "Reorganisations", () => goTo("reorgs")],
  ["6", "History", () => goTo("history")],
  ["7", "Processes", () => goTo("processes")],
  ["8", "Agents", () => goTo("agents")],
  ["9", "Caches", () => goTo("caches")],
];

let state = null;
const series = new Map();
const longer = new Map();
const announced = { at: 0, timer: 0, waiting: "", verdict: null, firing: new Set() };

const connection = new Connection({
  snapshot(found) {
    state = found;
    series.clear();
    for (const one of found.series) series.set(one.name, one);
    byId("login").close();
    render(new Set(Object.keys(state)));
  },
  delta(frame) {
    state = { ...state, ...frame.sections, at_ms: frame.at_ms };
    for (const one of frame.series ?? []) series.set(one.name, joined(series.get(one.name), one));
    const changed = new Set(Object.keys(frame.sections));
    if (frame.series) changed.add("series");
    render(changed);
  },
  live() {
    link("live", "Live");
    byId("stale").hidden = true;
  },
  lost(since) {
    link("stale", "Connecting again");
    const banner = byId("stale");
    const text = `Stale since ${time(since)}: the gateway does not answer. What is shown may be wrong; the page connects again by itself.`;
    if (banner.hidden || banner.textContent !== text) banner.textContent = text;
    banner.hidden = false;
  },
  refused(message) {
    link("locked", "Token needed");
    byId("login-error").textContent = message ? `${message}.` : "";
    if (!byId("login").open) byId("login").showModal();
    byId("token").focus();
  },
});

function joined(have, more) {
  const { kept, ...newest } = more;
  const gap = have ? more.start - have.start - have.values.length : 0;
  if (!have?.values.length || have.step !== more.step || gap >= kept) return newest;
  const values = have.values.slice(0, Math.max(0, more.start - have.start));
  while (values.length < more.start - have.start) values.push(null);
  values.push(...more.values);
  const over = Math.max(0, values.length - kept);
  return { ...newest, start: have.start + over, values: values.slice(over) };
}

function render(changed) {
  const now = state.at_ms;
  const has = (...names) => names.some((name) => changed.has(name));
  if (has("health", "reading")) panels.health(state);
  if (has("series", "chain", "alerts")) panels.tiles(state, series);
  if (has("pipeline")) {
    show(byId("map"), map(state.pipeline));
    panels.streamAgents(state);
  }
  if (has("alerts", "series")) panels.alerts(state, now);
  if (has("slo")) panels.slo(state);
  if (has("chain")) panels.reorgs(state);
  if (has("series") && byId("span").value === LIVE_SPAN) charts();
  if (has("components")) panels.processes(state, now);
  if (has("agents")) panels.agents(state);
  if (has("cache")) panels.caches(state);
  byId("version").textContent = state.version;
  byId("as-of").textContent = date(now);
  byId("as-of").dateTime = new Date(now).toISOString();
  document.title = `${state.alerts.firing.length ? `(${state.alerts.firing.length}) ` : ""}Monmouth: ${state.health.status ?? "no reports"}`;
  announce();
}

function charts() {
  const source = byId("span").value === LIVE_SPAN ? series : longer;
  show(byId("charts"), [...source.values()].map(chart));
}

async function longerSpan() {
  const span = byId("span").value;
  if (span === LIVE_SPAN || !state) return;
  try {
    const found = await Promise.all([...series.keys()].map((name) => connection.get(`/api/performance/${encodeURIComponent(name)}?duration=${span}`).then((answer) => answer.json())));
    if (byId("span").value !== span) return;
    longer.clear();
    for (const one of found) longer.set(one.name, one);
    charts();
  } catch {
    // the banner says that the gateway is away; it is asked again
  }
}

// What changed for those who listen: the verdict and new alerts, at most every few seconds, the newest of each.
function announce() {
  const verdict = state.health.status;
  const firing = new Set(state.alerts.firing.map((one) => `${one.rule} ${JSON.stringify(one.labels)}`));
  const fresh = state.alerts.firing.filter((one) => !announced.firing.has(`${one.rule} ${JSON.stringify(one.labels)}`));
  const said = [];
  if (announced.verdict !== verdict) said.push(`Health: ${verdict ?? "no reports"}.`);
  if (fresh.length && announced.verdict !== null) said.push(fresh.length === 1 ? `Alert: ${fresh[0].rule}, ${fresh[0].severity}.` : `${plural(fresh.length, "new alert")}.`);
  announced.verdict = verdict;
  announced.firing = firing;
  if (!said.length) return;
  announced.waiting = said.join(" ");
  if (announced.timer) return;
  announced.timer = setTimeout(() => {
    byId("announcer").textContent = announced.waiting;
    announced.at = Date.now();
    announced.timer = 0;
  }, Math.max(0, announced.at + ANNOUNCE_EVERY - Date.now()));
}

function link(name, text) {
  byId("link").dataset.state = name;
  if (byId("link-text").textContent !== text) byId("link-text").textContent = text;
}

async function download(format) {
  const button = document.querySelector(`[data-export="${format}"]`);
  button.disabled = true;
  try {
    const answer = await connection.get(`/api/dashboard/export/${format}`);
    const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? `monmouth-dashboard.${format}`;
    const address = URL.createObjectURL(await answer.blob());
    const anchor = el("a", { href: address, download: name });
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  } catch (error) {
    byId("announcer").textContent = `The export failed: ${error.message}`;
  } finally {
    button.disabled = false;
    if (document.activeElement === document.body) button.focus(); // a disabled button loses it; whoever went on meanwhile keeps it
  }
}

async function find(address) {
  const wanted = address.trim();
  if (!/^0x[0-9a-fA-F]{40}$/.test(wanted)) {
    show(byId("found"), el("p", { class: "error small" }, "An address is 0x and 40 hex digits."));
    return;
  }
  try {
    panels.agentFound(await (await connection.get(`/v1/agents/${wanted}/root`)).json());
  } catch (error) {
    show(byId("found"), el("p", { class: "error small" }, `${error.message}.`));
  }
}

function goTo(id) {
  const section = byId(id);
  section.scrollIntoView({ block: "start" });
  section.focus({ preventScroll: true });
}

const THEMES = ["auto", "light", "dark"];

function nextTheme() {
  useTheme(THEMES[(THEMES.indexOf(byId("theme-now").textContent) + 1) % THEMES.length]);
}

function useTheme(theme) {
  byId("theme-now").textContent = theme;
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // not kept, then
  }
}

function keptTheme() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

function listen() {
  byId("theme").addEventListener("click", nextTheme);
  byId("keys").addEventListener("click", () => byId("shortcuts").showModal());
  byId("shortcuts-close").addEventListener("click", () => byId("shortcuts").close());
  for (const button of document.querySelectorAll("[data-export]")) button.addEventListener("click", () => download(button.dataset.export));
  byId("login").addEventListener("cancel", (event) => event.preventDefault());
  byId("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = byId("token").value.trim();
    byId("token").value = "";
    byId("login-error").textContent = "";
    connection.use(token);
  });
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    find(byId("address").value);
  });
  byId("agents-body").addEventListener("click", (event) => {
    const button = event.target.closest("[data-agent]");
    if (!button) return;
    byId("address").value = button.dataset.agent;
    find(button.dataset.agent);
  });
  byId("span").addEventListener("change", () => (byId("span").value === LIVE_SPAN ? charts() : longerSpan()));
  setInterval(longerSpan, 15000);
  document.addEventListener("keydown", pressed);
  show(byId("shortcut-list"), SHORTCUTS.map(([key, what]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, what))));
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !byId("shortcuts-on").checked) return;
  if (event.target.closest("input, select, textarea, dialog[open]")) return;
  const found = SHORTCUTS.find(([key]) => key === event.key);
  if (!found) return;
  event.preventDefault();
  found[2]();
}

useTheme(THEMES.includes(keptTheme()) ? keptTheme() : "auto");
listen();
connection.use(null);
