// The panels: each makes its elements from a section of the state.

import { sparkline } from "./charts.js";
import { badge, byId, el, glyph, show, svg, table } from "./dom.js";
import { ago, bytes, count, cut, date, duration, exact, measure, percent, plural, quantity, short, time } from "./format.js";

const WORDS = { healthy: "All is well", degraded: "Degraded", failed: "Failing", gone: "Nobody reports any more" };

export function health(state) {
  const summary = state.health;
  const known = summary.status ?? "unknown";
  const [number, unit] = measure(summary.score, "ratio");
  show(
    byId("health"),
    el("div", { class: "verdict", "data-state": known }, el("span", { class: "glyph", "aria-hidden": "true" }, glyph(known)), el("p", { class: "word", id: "verdict" }, WORDS[known] ?? "No reports yet")),
    el("p", { class: "score" }, el("span", { class: "big", id: "score" }, number), el("span", { class: "unit" }, unit), el("span", { class: "quiet" }, " health score")),
    el("p", { class: "small quiet" }, [
      [summary.healthy, "healthy"],
      [summary.degraded, "degraded"],
      [summary.failed, "failed"],
      [summary.gone, "gone"],
    ].map(([number, word]) => `${number} ${word}`).join(" · ")),
    summary.causes.length
      ? el("ul", { class: "causes", "aria-label": "What is wrong, the worst first" }, summary.causes.map((cause) => el("li", {}, cause)))
      : el("p", { class: "small quiet" }, summary.status === null ? "No process has reported: are the topics there, and is anything running?" : "Everything that is looked at is well."),
    summary.predictions.length ? el("ul", { class: "causes foreseen", "aria-label": "What will break" }, summary.predictions.map((one) => el("li", {}, one))) : null,
    state.reading ? el("p", { class: "error small" }, `Reports do not arrive: ${state.reading}`) : null,
  );
}

const TILES = [
  ["throughput_tps", "Throughput"],
  ["block_latency_p95_ms", "Block to committed, p95"],
  ["seconds_behind", "Furthest behind"],
  ["query_latency_p95_ms", "Query latency, p95"],
  ["error_rate", "Errors"],
  ["cache_hit_rate", "Cache hit rate"],
];

export function tiles(state, series) {
  const found = TILES.map(([name, title]) => {
    const one = series.get(name);
    const [number, unit] = measure(one?.latest, one?.unit ?? "");
    return tile(name, title, number, unit, one && sparkline(one));
  });
  const head = state.chain.head;
  show(
    byId("tiles"),
    found,
    tile("head", "Head of the chain", head ? count(head.number) : "–", "", el("span", { class: "small quiet" }, state.chain.final ? `final ${count(state.chain.final.number)}` : "nothing final yet")),
    tile("firing", "Alerts that fire", count(state.alerts.firing.length), "", el("span", { class: "small quiet" }, plural(state.alerts.firing.filter((one) => one.severity === "critical").length, "critical one"))),
  );
}

function tile(name, title, number, unit, below) {
  return el("div", { class: "card tile", "data-tile": name }, el("p", { class: "label" }, title), el("p", { class: "number" }, number, el("span", { class: "unit" }, unit)), below);
}

export function streamAgents(state) {
  const rows = state.pipeline.agents.flatMap((agent) => agent.partitions.map((partition, i) => [
    i === 0 ? agent.name : el("span", { class: "quiet" }, agent.name),
    String(partition.partition),
    partition.instance === null ? badge("gone", "nobody holds it") : partition.instance,
    count(partition.lag),
    quantity(partition.seconds_behind, "s"),
    count(partition.block),
    Object.entries(partition.position).map(([topic, offset]) => `${topic} ${count(offset)}`).join(", "),
    i === 0 ? count(agent.rewinds) : "",
  ]));
  show(byId("stream-agents"), table("Stream agents by partition", ["Stream agent", "Partition", "Held by", "#Waiting", "#Behind", "#Block", "Position", "#Rewinds"], rows, "No stream agent has been seen yet."));
}

export function alerts(state, now) {
  const { firing, resolved } = state.alerts;
  byId("alerts-count").textContent = firing.length ? plural(firing.length, "fires", "fire") : "none fires";
  show(
    byId("alerts-body"),
    firing.length ? el("ul", { class: "list" }, firing.map((one) => alertItem(one, now))) : el("p", { class: "empty" }, "No alert fires."),
    resolved.length
      ? el("details", { class: "more" }, el("summary", {}, `${plural(resolved.length, "resolved one")}, the newest first`), el("ul", { class: "list" }, resolved.slice(0, 20).map((one) => alertItem(one, now))))
      : null,
  );
}

function alertItem(one, now) {
  const labels = Object.entries(one.labels).map(([name, value]) => el("span", { class: "tag" }, `${name}=${value}`));
  const state = one.state === "resolved" ? "healthy" : one.severity === "critical" ? "failed" : "degraded";
  return el(
    "li",
    {},
    el("div", { class: "line" }, badge(state, one.state === "resolved" ? "resolved" : one.severity), el("strong", {}, one.rule), el("span", { class: "quiet small" }, `since ${time(one.since_ms)}, ${ago(one.since_ms, now)}`)),
    one.summary ? el("p", { class: "small" }, one.summary) : null,
    labels.length ? el("p", { class: "tags" }, labels) : null,
  );
}

export function slo(state) {
  const found = state.slo;
  const absent = el("p", { class: "empty" }, "Not known: nobody says how they stand. ", el("code", {}, "monmouth ops"), " counts, and ", el("code", {}, "monmouth alerts watch --from-log"), " says it.");
  if (!found.available) return show(byId("slo-body"), absent);
  if (!found.objectives.length) return show(byId("slo-body"), el("p", { class: "empty" }, "There is no objective."));
  return show(byId("slo-body"), el("ul", { class: "list" }, found.objectives.map(objective)));
}

function objective(one) {
  const left = one.values.budget_left ?? null;
  const state = left === null ? "unknown" : left <= 0 ? "failed" : left < 0.25 ? "degraded" : "healthy";
  const rest = Object.entries(one.values).filter(([name]) => name !== "budget_left");
  return el(
    "li",
    {},
    el("div", { class: "line" }, badge(state, left === null ? "not known" : left <= 0 ? "budget used up" : left < 0.25 ? "budget runs low" : "within budget"), el("strong", {}, one.name.replaceAll("_", " ")), el("span", { class: "quiet small" }, `over ${duration(1000 * one.seconds)}`)),
    left === null ? null : el("div", { class: "meter" }, el("progress", { max: 1, value: Math.min(1, Math.max(0, left)), "aria-label": `Error budget left of ${one.name}` }), el("span", { class: "n" }, `${percent(left)} of the budget left`)),
    rest.length ? el("p", { class: "tags" }, rest.map(([name, value]) => el("span", { class: "tag" }, `${name.replaceAll("_", " ")} ${exact(value)}`))) : null,
  );
}

const RW = 960;
const RH = 72;
const FLOOR = RH - 6;

export function reorgs(state) {
  const found = state.chain.reorgs;
  byId("reorgs-count").textContent = `${count(state.chain.reorg_count)} in the log`;
  if (!found.length) return show(byId("reorgs-body"), el("p", { class: "empty" }, "The log holds none."));
  const rows = found.map((one) => [
    date(one.at_ms),
    plural(one.depth, "block"),
    one.severity.replaceAll("_", " "),
    one.waits_for.length ? badge("degraded", `${one.waits_for.length} still behind: ${one.waits_for.slice(0, 4).join(", ")}`) : one.heal_ms === null ? "not seen" : badge("healthy", `healed in ${duration(one.heal_ms)}`),
    el("span", { class: "mono", title: one.ancestor.hash }, `${count(one.ancestor.number)} ${cut(one.ancestor.hash, 4)}`),
  ]);
  return show(
    byId("reorgs-body"),
    timeline(found),
    el("details", { class: "more", open: true }, el("summary", {}, "As a table"), el("div", { class: "scroll", role: "region", "aria-label": "Reorganisations", tabindex: "0" }, table("Reorganisations, the newest first", ["Written", "#Depth", "Severity", "Healed", "Back to block"], rows.slice(0, 12), ""))),
  );
}

function timeline(found) {
  const times = found.map((one) => one.at_ms);
  const from = Math.min(...times);
  const to = Math.max(...times);
  const deepest = Math.max(...found.map((one) => one.depth));
  const x = (ms) => (to === from ? RW / 2 : 14 + ((RW - 28) * (ms - from)) / (to - from));
  const y = (depth) => FLOOR - (FLOOR - 8) * (Math.log2(1 + depth) / Math.log2(1 + deepest));
  const picture = svg(
    "svg",
    { class: "timeline", preserveAspectRatio: "none", viewBox: `0 0 ${RW} ${RH}`, role: "img", "aria-label": `${plural(found.length, "reorganisation")} from ${date(from)} to ${date(to)}, the deepest of ${plural(deepest, "block")}. The table below lists them.` },
    svg("line", { class: "axis", x1: 0, x2: RW, y1: FLOOR, y2: FLOOR }),
    found.map((one) => svg(
      "g",
      { class: "event", "data-state": one.waits_for.length ? "degraded" : "healthy" },
      svg("title", {}, `${date(one.at_ms)}: ${plural(one.depth, "block")}`),
      svg("line", { x1: x(one.at_ms), x2: x(one.at_ms), y1: FLOOR, y2: y(one.depth) }),
      svg("line", { class: "head", x1: x(one.at_ms), x2: x(one.at_ms), y1: y(one.depth), y2: y(one.depth) }),
    )),
  );
  const ends = to === from ? [time(from)] : [time(from), `height: depth, up to ${plural(deepest, "block")}`, time(to)];
  return el("div", {}, picture, el("p", { class: "ends", "aria-hidden": "true" }, ends.map((text) => el("span", {}, text))));
}

export function processes(state, now) {
  const found = state.components;
  byId("processes-count").textContent = `${found.filter((one) => one.status !== "gone").length} of ${found.length} alive`;
  const rows = found.map((one) => [
    one.component,
    el("span", { class: "mono" }, one.instance),
    badge(one.status, one.ended ? "ended" : one.status),
    percent(one.score),
    ago(one.seen_ms, now),
    one.started_ms ? duration(now - one.started_ms) : "–",
    one.parts.length ? el("ul", { class: "parts" }, one.parts.map((part) => el("li", {}, badge(part.status, part.name), part.detail ? el("span", { class: "small" }, ` ${part.detail}`) : null))) : el("span", { class: "quiet" }, "no parts told"),
  ]);
  show(byId("processes-body"), table("Processes, the worst first", ["Component", "Instance", "State", "#Score", "#Heard", "#Up for", "Parts"], rows, "No process has reported yet."));
}

export function agents(state) {
  const found = state.agents;
  byId("agents-count").textContent = `${short(found.active)} active of ${short(found.known)}`;
  const rows = found.recent.slice(0, 10).map((one) => [el("button", { type: "button", class: "link mono", "data-agent": one.agent, title: one.agent }, cut(one.agent)), count(one.memories), count(one.block)]);
  show(byId("agents-body"), el("h3", {}, "Changed lately"), table("Agents that changed lately", ["Agent", "#Memories", "#Block"], rows, "No agent has a root yet."));
}

export function agentFound(root) {
  show(
    byId("found"),
    el("dl", { class: "facts" }, [
      ["Agent", el("span", { class: "mono" }, root.agent)],
      ["Live memories", count(root.count)],
      ["Block", root.block ? count(root.block.number) : "–"],
      ["Merkle root", el("span", { class: "mono", title: root.merkle_root }, cut(root.merkle_root, 8))],
    ].map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
  );
}

export function caches(state) {
  const found = state.cache;
  if (!found.enabled) return show(byId("caches-body"), el("p", { class: "empty" }, "This gateway keeps no answers: cache.enabled is off."));
  const askings = Object.values(found.events).reduce((sum, value) => sum + value, 0);
  return show(
    byId("caches-body"),
    el("dl", { class: "facts" }, [
      ["Hit rate", askings ? percent(found.hit_rate) : "nothing asked yet"],
      ["Kept answers", `${count(found.entries)}, ${count(found.hot_entries)} of them hot`],
      ["Memory", `${bytes(found.bytes)} of ${bytes(found.limit_bytes)}`],
      ["Longest life", duration(1000 * found.ttl_seconds)],
    ].map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    el("h3", {}, "Hot questions"),
    table("Hot questions, by a name that tells nothing of them", ["Name", "#Askings"], found.top.map((one) => [el("span", { class: "mono" }, one.name), count(one.askings)]), "Nothing has been asked often."),
  );
}
