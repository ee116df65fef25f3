// The pipeline as a picture: boxes where the state says they stand, flows between them, what waits on each.

import { glyph, svg } from "./dom.js";
import { quantity, short } from "./format.js";

const W = 152;
const H = 54;
const ACROSS = 46;
const DOWN = 18;
const PAD = 6;

const left = (node) => PAD + node.column * (W + ACROSS);
const top = (node) => PAD + node.row * (H + DOWN);

export function map(pipeline) {
  const nodes = new Map(pipeline.nodes.map((node) => [node.id, node]));
  const agents = new Map(pipeline.agents.map((agent) => [agent.name, agent]));
  const width = 2 * PAD + Math.max(...pipeline.nodes.map((node) => node.column)) * (W + ACROSS) + W;
  const height = 2 * PAD + Math.max(...pipeline.nodes.map((node) => node.row)) * (H + DOWN) + H;
  return svg(
    "svg",
    { class: "map", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spoken(pipeline) },
    pipeline.flows.filter((one) => nodes.has(one.source) && nodes.has(one.target)).map((one) => flow(one, nodes)),
    pipeline.nodes.map((node) => box(node, agents.get(node.id))),
  );
}

function flow(one, nodes) {
  const source = nodes.get(one.source);
  const target = nodes.get(one.target);
  const x1 = left(source) + W;
  const y1 = top(source) + H / 2;
  const x2 = left(target);
  const y2 = top(target) + H / 2;
  const bend = x2 - ACROSS;
  const middle = (bend + x2) / 2;
  const path = y1 === y2 ? `M${x1} ${y1}H${x2 - 5}` : `M${x1} ${y1}H${bend}C${middle + 4} ${y1} ${middle - 4} ${y2} ${x2 - 5} ${y2}`;
  return svg(
    "g",
    { class: "flow", "data-waits": one.lag > 0 },
    svg("path", { d: path }),
    svg("path", { class: "tip", d: `M${x2 - 6} ${y2 - 4}L${x2} ${y2}L${x2 - 6} ${y2 + 4}Z` }),
  );
}

function box(node, agent) {
  const x = left(node);
  const y = top(node);
  const state = node.status ?? "unknown";
  return svg(
    "g",
    { class: "node", "data-kind": node.kind, "data-state": node.kind === "topic" ? "topic" : state, "data-key": node.id },
    svg("title", {}, `${node.label}: ${second(node, agent)}`),
    svg("rect", { x, y, width: W, height: H, rx: node.kind === "topic" ? H / 2 : 8 }),
    node.kind !== "topic" && svg("text", { class: "glyph", x: x + 14, y: y + 23 }, glyph(state)),
    svg("text", { class: "name", x: node.kind === "topic" ? x + W / 2 : x + 28, y: node.kind === "topic" ? y + 32 : y + 23, "text-anchor": node.kind === "topic" ? "middle" : "start" }, node.label),
    node.kind !== "topic" && svg("text", { class: "note", x: x + 14, y: y + 42 }, second(node, agent)),
  );
}

function second(node, agent) {
  if (!agent) return clip(node.note || node.status || (node.kind === "topic" ? "topic" : "no reports"));
  if (agent.status === "gone" || agent.status === null) return clip(node.note);
  const behind = agent.seconds_behind === null ? "" : `, ${quantity(agent.seconds_behind, "s")}`;
  return clip(`${agent.lag === null ? "lag –" : `lag ${short(agent.lag)}`}${behind} · ↺ ${agent.rewinds === null ? "–" : short(agent.rewinds)}`);
}

const clip = (text) => (text.length > 24 ? `${text.slice(0, 23)}…` : text);

function spoken(pipeline) {
  const said = pipeline.agents.map((agent) => `${agent.name} ${agent.status ?? "without reports"}, ${agent.lag === null ? "lag not known" : `${agent.lag} records waiting`}`);
  return `From the producer over topics and stream agents to the stores and the gateway. ${said.join("; ") || "No stream agent has been seen"}. The table below says the same.`;
}
