// A series as a picture: line, trend, where it is heading; and the same as a table.

import { el, svg, table } from "./dom.js";
import { date, quantity, measure, time } from "./format.js";

const W = 320;
const H = 92;
const EDGE = 4;
const GUTTER = 50; // for the scale, right of the lines

export function sparkline(series) {
  const scale = scaled(series, series.values.length - 1, []);
  if (!scale) return svg("svg", { class: "spark", viewBox: "0 0 100 24", "aria-hidden": "true" });
  const points = runs(series.values, (i) => (100 * i) / Math.max(1, series.values.length - 1), (v) => 22 - 20 * scale.share(v));
  return svg("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" }, points.map((run) => svg("polyline", { points: run })));
}

export function chart(series) {
  const [number, unit] = measure(series.latest, series.unit);
  return el(
    "figure",
    { class: "chart", "data-key": series.name, "data-series": series.name },
    el("figcaption", {}, el("span", { class: "title" }, series.title), el("span", { class: "value" }, number, el("span", { class: "unit" }, unit))),
    picture(series),
    series.least === null ? null : el("p", { class: "trend", "data-meaning": series.trend?.meaning ?? "none" }, told(series)),
    series.least === null ? null : el("details", { class: "more" }, el("summary", {}, "As a table"), numbers(series)),
  );
}

function picture(series) {
  const trend = series.trend;
  const last = series.values.length - 1;
  const ahead = trend && trend.ahead !== null ? trend.horizon / series.step : 0;
  const scale = scaled(series, last, ahead ? [trend.low, trend.high] : []);
  if (!scale) return el("p", { class: "nothing" }, "Not measured in this span.");
  const x = (i) => EDGE + ((W - 2 * EDGE - GUTTER) * i) / Math.max(1, last + ahead);
  const y = (v) => H - EDGE - (H - 2 * EDGE) * scale.share(v);
  const lines = runs(series.values, x, y);
  return svg(
    "svg",
    { class: "plot", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${series.title}. ${told(series)} Least ${quantity(series.least, series.unit)}, most ${quantity(series.most, series.unit)}.` },
    [0, 0.5, 1].map((share) => svg("line", { class: "grid", x1: 0, x2: W - GUTTER, y1: y(scale.low + share * (scale.high - scale.low)), y2: y(scale.low + share * (scale.high - scale.low)) })),
    ahead ? svg("polygon", { class: "band", points: `${x(last)},${y(trend.last)} ${x(last + ahead)},${y(trend.high)} ${x(last + ahead)},${y(trend.low)}` }) : null,
    lines.map((run) => svg("polyline", { class: "line", points: run })),
    ahead ? svg("line", { class: "fit", x1: x(0), y1: y(trend.first), x2: x(last + ahead), y2: y(trend.ahead) }) : null,
    svg("text", { class: "scale", x: W - GUTTER + 6, y: 11 }, measure(scale.high, series.unit)[0]),
    svg("text", { class: "scale", x: W - GUTTER + 6, y: H - 5 }, measure(scale.low, series.unit)[0]),
  );
}

function scaled(series, last, more) {
  const found = [...series.values, ...more].filter((value) => value !== null && Number.isFinite(value));
  if (!found.length || last < 1) return null;
  let low = Math.min(...found);
  let high = Math.max(...found);
  if (low >= 0 && low < 0.5 * high) low = 0;
  if (high - low < 1e-9 * Math.max(1, Math.abs(high))) {
    high += Math.abs(high) * 0.1 || 1;
    low = low > 0 ? low * 0.9 : low === 0 ? 0 : low - Math.abs(low) * 0.1;
  }
  if (series.unit === "ratio") high = Math.min(Math.max(high, low + 1e-6), Math.max(1, high));
  return { low, high, share: (value) => Math.min(1, Math.max(0, (value - low) / (high - low))) };
}

function runs(values, x, y) {
  const found = [[]];
  values.forEach((value, i) => {
    if (value === null) found.push([]);
    else found.at(-1).push(`${x(i).toFixed(1)},${y(value).toFixed(1)}`);
  });
  return found.filter((run) => run.length > 1).map((run) => run.join(" "));
}

const ARROWS = { rising: "↗", falling: "↘", steady: "→" };
const MEANINGS = { better: ", which is better", worse: ", which is worse", none: "" };

export function told(series) {
  const trend = series.trend;
  if (!trend) return series.latest === null ? "Not measured." : "Too few points for a trend.";
  const way = `${ARROWS[trend.direction]} ${trend.direction}${MEANINGS[trend.meaning]}`;
  if (trend.ahead === null) return `${way}.`;
  return `${way}; in ${span(trend.horizon)} ${quantity(trend.ahead, series.unit)} (${quantity(trend.low, series.unit)} to ${quantity(trend.high, series.unit)}).`;
}

const span = (seconds) => (seconds >= 7200 ? `${Math.round(seconds / 3600)} h` : seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${seconds} s`);

function numbers(series) {
  const rows = [];
  const stride = Math.max(1, Math.ceil(series.values.length / 12));
  for (let i = series.values.length - 1; i >= 0 && rows.length < 12; i -= stride) {
    const at = 1000 * (series.start + i * series.step);
    rows.push([series.step >= 60 ? date(at) : time(at), quantity(series.values[i], series.unit)]);
  }
  return table(`${series.title}, sampled`, ["Time", "#Value"], rows, "No points.");
}
