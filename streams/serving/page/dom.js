// Elements from data. What comes from outside becomes text nodes and attribute values, never markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export const byId = (id) => document.getElementById(id);

// Makes the children of `parent` what `children` are, with as few changes as it can: elements stay where they are, and with them
// the focus, the selection, what is unfolded and how far it is scrolled.
export function show(parent, ...children) {
  const wanted = document.createDocumentFragment();
  wanted.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  morphChildren(parent, wanted);
}

function morphChildren(have, want) {
  const wanted = [...want.childNodes];
  wanted.forEach((node, place) => {
    const old = have.childNodes[place];
    if (!old) have.append(node);
    else if (alike(old, node)) morph(old, node);
    else old.replaceWith(node);
  });
  while (have.childNodes.length > wanted.length) have.lastChild.remove();
}

function alike(old, node) {
  return old.nodeType === node.nodeType && old.nodeName === node.nodeName && key(old) === key(node);
}

function key(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

function morph(old, node) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== node.data) old.data = node.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!node.hasAttribute(name) && !(old.nodeName === "DETAILS" && name === "open")) old.removeAttribute(name);
  }
  for (const { name, value } of node.attributes) {
    if (old.nodeName === "DETAILS" && name === "open") continue; // whoever reads it has folded it
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morphChildren(old, node);
}

export function table(caption, columns, rows, empty) {
  if (!rows.length) return el("p", { class: "empty" }, empty);
  const numeric = columns.map((column) => column.startsWith("#"));
  return el(
    "table",
    {},
    el("caption", { class: "hidden" }, caption),
    el("thead", {}, el("tr", {}, columns.map((column, i) => el("th", { scope: "col", class: numeric[i] && "n" }, column.replace(/^#/, ""))))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell, i) =>
      i === 0 ? el("th", { scope: "row" }, cell) : el("td", { class: numeric[i] && "n" }, cell))))),
  );
}

const GLYPHS = { healthy: "●", degraded: "▲", failed: "■", gone: "○", firing: "▲", resolved: "●" };

// A state as shape, colour and word.
export function badge(state, word = state) {
  const known = state && GLYPHS[state] ? state : "unknown";
  return el("span", { class: "badge", "data-state": known }, el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[known] ?? "◌"), el("span", {}, word ?? "no reports"));
}

export const glyph = (state) => GLYPHS[state] ?? "◌";
