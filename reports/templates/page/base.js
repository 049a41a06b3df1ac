"use strict";
// The page's data is one gzipped JSON text; everything below draws parts of it. No library, nothing from outside.

const VIRIDIS = [[68,1,84],[72,36,117],[65,68,135],[53,95,141],[42,120,142],[33,145,140],[34,168,132],[68,191,112],[122,209,81],[189,223,38],[253,231,37]];
const $ = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) key in made ? (made[key] = value) : made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
};
const count = (value) => Math.round(value).toLocaleString("en-US");
const prefixed = (value, unit) => {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return `0 ${unit}`;
  const step = Math.min(5, Math.max(-4, Math.floor(Math.log10(Math.abs(value)) / 3)));
  const digits = value / 1000 ** step;
  const prefix = ["p", "n", "µ", "m", "", "k", "M", "G", "T", "P"][step + 4];
  return `${digits.toPrecision(3)} ${prefix}${prefix && unit.length > 3 ? " " : ""}${unit}`;
};
const bytes = (value) => {
  const step = Math.max(0, Math.min(4, Math.floor(Math.log2(Math.max(1, value)) / 10)));
  return step ? `${(value / 1024 ** step).toPrecision(3)} ${["", "Ki", "Mi", "Gi", "Ti"][step]}B` : `${Math.round(value)} B`;
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const colour = (share) => {
  const at = Math.min(1, Math.max(0, share)) * (VIRIDIS.length - 1);
  const low = Math.min(VIRIDIS.length - 2, Math.floor(at));
  return VIRIDIS[low].map((part, i) => Math.round(part + (at - low) * (VIRIDIS[low + 1][i] - part)));
};
const css = (rgb) => `rgb(${rgb.join(",")})`;

async function unpack() {
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// Tabs ---------------------------------------------------------------------------------------------------------------

const views = {};
let data, floor;

function addView(id, title, build) {
  const section = $("section", { id });
  document.getElementById("views").append(section);
  const tab = $("button", { textContent: title, onclick: () => show(id) });
  tab.setAttribute("role", "tab");
  document.getElementById("tabs").append(tab);
  views[id] = { section, tab, build, built: false };
}

function show(id) {
  for (const [name, view] of Object.entries(views)) {
    view.section.classList.toggle("shown", name === id);
    view.tab.setAttribute("aria-selected", String(name === id));
  }
  const view = views[id];
  if (!view.built) {
    view.built = true;
    view.build(view.section);
  }
  if (id === "floor") floor.resize();
}

