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
  return `${digits.toPrecision(3)} ${["p", "n", "µ", "m", "", "k", "M", "G", "T", "P"][step + 4]}${unit}`;
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

// Overview -----------------------------------------------------------------------------------------------------------

function overview(section) {
  section.append($("table", {}, ...data.summary.map(([name, value]) => $("tr", {}, $("th", { textContent: name }), $("td", { textContent: value })))));
  section.append($("h2", { textContent: "Busiest kernels" }));
  const busy = [...data.kernels].sort((a, b) => b.compute + b.movement - a.compute - a.movement).slice(0, 12);
  section.append($("table", {}, ...busy.map((kernel) => timeRow(kernel))));
  section.append(legend());
}

const legend = () => $("p", {}, ...[["compute", "var(--compute)"], ["moving data", "var(--movement)"], ["waiting", "var(--idle)"]].map(([name, paint]) =>
  $("span", {}, $("span", { className: "swatch", style: `background:${paint}` }), ` ${name}   `)));

function timeRow(kernel) {
  const share = (cycles) => `width:${(100 * cycles) / data.interval}%`;
  const bar = $("div", { className: "bar" }, $("i", { className: "compute", style: share(kernel.compute) }), $("i", { className: "movement", style: share(kernel.movement) }));
  const busy = (kernel.compute + kernel.movement) / data.interval;
  const row = $("tr", { className: "link", title: "show on the floor plan" }, $("td", { textContent: kernel.name }), $("td", { textContent: kernel.group, className: "dim" }),
    $("td", { className: "number", textContent: percent(busy) }), $("td", {}, bar));
  row.onclick = () => select(kernel.name);
  return row;
}

// Floor plan ---------------------------------------------------------------------------------------------------------

class FloorPlan {
  constructor(section) {
    this.canvas = $("canvas", { tabIndex: 0 });
    this.layer = $("select", { id: "layer", onchange: () => this.choose(), title: "what the colours say" });
    for (const [i, name] of ["kernels", ...data.fields.map((field) => field.title)].entries()) this.layer.append($("option", { value: i, textContent: name }));
    const fit = $("button", { textContent: "whole machine", onclick: () => this.fit() });
    this.key = $("div", { id: "key" });
    this.hover = $("p", { id: "hover", textContent: "Move over the plan. Drag to pan, turn the wheel to zoom, click for the program." });
    section.append($("div", { className: "map" }, this.canvas), $("aside", {}, this.layer, fit, this.key, this.hover));
    this.images = data.fields.map(() => null);
    this.selected = null;
    this.kernelOf = new Int32Array(data.width * data.height).fill(-1);
    data.regions.forEach(([, x, y, w, h], i) => {
      for (let row = y; row < y + h; row++) this.kernelOf.fill(i, row * data.width + x, row * data.width + x + w);
    });
    this.kernels = new Map(data.kernels.map((kernel) => [kernel.name, kernel]));
    this.listen();
    this.choose();
  }

  listen() {
    const canvas = this.canvas;
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    let from = null, moved = false;
    canvas.onpointerdown = (event) => { from = [event.offsetX, event.offsetY]; moved = false; canvas.setPointerCapture(event.pointerId); };
    canvas.onpointerup = (event) => { if (from && !moved) this.click(event); from = null; };
    canvas.onpointermove = (event) => {
      if (from) {
        const [dx, dy] = [event.offsetX - from[0], event.offsetY - from[1]];
        if (Math.abs(dx) + Math.abs(dy) > 2) moved = true;
        this.touched = true;
        this.x -= dx / this.zoom; this.y -= dy / this.zoom;
        from = [event.offsetX, event.offsetY];
        this.redraw();
      } else this.point(event);
    };
    canvas.onwheel = (event) => { event.preventDefault(); this.zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY / 400)); };
    canvas.onkeydown = (event) => {
      const step = 40 / this.zoom, moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (moves[event.key]) { this.x += moves[event.key][0]; this.y += moves[event.key][1]; this.redraw(); event.preventDefault(); }
      if (event.key === "+" || event.key === "-") this.zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, event.key === "+" ? 1.4 : 1 / 1.4);
    };
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = clientWidth * scale;
    this.canvas.height = clientHeight * scale;
    if (this.touched) this.redraw(); else this.fit();
  }

  fit() {
    const { clientWidth, clientHeight } = this.canvas;
    this.zoom = 0.96 * Math.min(clientWidth / data.width, clientHeight / data.height);
    this.x = data.width / 2 - clientWidth / 2 / this.zoom;
    this.y = data.height / 2 - clientHeight / 2 / this.zoom;
    this.redraw();
  }

  zoomAt(px, py, factor) {
    this.touched = true;
    const zoom = Math.min(80, Math.max(0.05, this.zoom * factor));
    this.x += px / this.zoom - px / zoom;
    this.y += py / this.zoom - py / zoom;
    this.zoom = zoom;
    this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const context = this.canvas.getContext("2d"), scale = window.devicePixelRatio || 1, field = Number(this.layer.value) - 1;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    context.setTransform(scale * this.zoom, 0, 0, scale * this.zoom, -this.x * this.zoom * scale, -this.y * this.zoom * scale);
    context.imageSmoothingEnabled = this.zoom < 1;
    context.fillStyle = data.paints.unused;
    context.fillRect(0, 0, data.width, data.height);
    if (field >= 0) {
      if (this.images[field]) context.drawImage(this.images[field].picture, 0, 0);
    } else for (const [, x, y, w, h, group] of data.regions) { context.fillStyle = data.groups[group][1]; context.fillRect(x, y, w, h); }
    context.fillStyle = data.paints.blocked;
    for (const [x, y] of data.blocked) context.fillRect(x, y, 1, 1);
    this.outlines(context);
  }

  outlines(context) {
    const right = this.x + this.canvas.clientWidth / this.zoom, bottom = this.y + this.canvas.clientHeight / this.zoom;
    context.lineWidth = 1 / this.zoom;
    for (const [name, x, y, w, h] of data.regions) {
      if (x > right || y > bottom || x + w < this.x || y + h < this.y) continue;
      context.strokeStyle = "#0008";
      context.strokeRect(x, y, w, h);
      if (w * this.zoom > 7 * name.length && h * this.zoom > 14) {
        const size = 12 / this.zoom;
        context.font = `${size}px system-ui, sans-serif`;
        context.fillStyle = "#fffc";
        context.fillRect(x + 2 / this.zoom, y + 2 / this.zoom, context.measureText(name).width + 6 / this.zoom, size * 1.3);
        context.fillStyle = "#111";
        context.fillText(name, x + 5 / this.zoom, y + 2 / this.zoom + size);
      }
    }
    if (this.zoom > 12) this.grid(context, right, bottom);
    const chosen = data.regions.find(([name]) => name === this.selected);
    if (chosen) { context.strokeStyle = "#d55e00"; context.lineWidth = 3 / this.zoom; context.strokeRect(...chosen.slice(1, 5)); }
    context.strokeStyle = "#0006";
    context.strokeRect(0, 0, data.width, data.height);
  }

  grid(context, right, bottom) {
    context.strokeStyle = "#0002";
    context.beginPath();
    for (let x = Math.max(0, Math.floor(this.x)); x <= Math.min(data.width, right); x++) { context.moveTo(x, Math.max(0, this.y)); context.lineTo(x, Math.min(data.height, bottom)); }
    for (let y = Math.max(0, Math.floor(this.y)); y <= Math.min(data.height, bottom); y++) { context.moveTo(Math.max(0, this.x), y); context.lineTo(Math.min(data.width, right), y); }
    context.stroke();
  }

  async choose() {
    const field = Number(this.layer.value) - 1;
    if (field >= 0 && !this.images[field]) this.images[field] = await this.decode(data.fields[field]);
    this.describe(field);
    this.redraw();
  }

  async decode(field) {
    const picture = $("canvas", { width: data.width, height: data.height }), context = picture.getContext("2d", { willReadFrequently: true });
    const blob = new Blob([Uint8Array.from(atob(field.png), (c) => c.charCodeAt(0))], { type: "image/png" });
    context.drawImage(await createImageBitmap(blob, { colorSpaceConversion: "none" }), 0, 0);
    const pixels = context.getImageData(0, 0, data.width, data.height), levels = new Uint8Array(data.width * data.height);
    const table = Array.from({ length: 256 }, (_, level) => colour((level - 1) / 254));
    for (let i = 0; i < levels.length; i++) {
      const level = (levels[i] = pixels.data[4 * i]);
      const [red, green, blue] = level ? table[level] : [228, 228, 228];
      pixels.data[4 * i] = red; pixels.data[4 * i + 1] = green; pixels.data[4 * i + 2] = blue; pixels.data[4 * i + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
    return { picture, levels };
  }

  describe(field) {
    if (field < 0) {
      const cores = new Map();
      for (const [, , , w, h, group] of data.regions) cores.set(group, (cores.get(group) || 0) + w * h);
      this.key.replaceChildren(...data.groups.map(([name, paint], i) => $("div", { className: "key" }, $("span", { className: "swatch", style: `background:${paint}` }),
        `${name}: ${count(cores.get(i) || 0)} ${data.unit}s`)));
      return;
    }
    const { low, high, unit } = data.fields[field], steps = VIRIDIS.map((rgb) => css(rgb)).join(",");
    this.key.replaceChildren($("div", { className: "scale", style: `background:linear-gradient(90deg,${steps})` }),
      $("div", { className: "ends" }, $("span", { textContent: this.text(low, unit) }), $("span", { textContent: this.text(high, unit) })));
  }

  text(value, unit) { return unit === "bytes" || unit === "B" ? bytes(value) : unit ? prefixed(value, unit) : value.toPrecision(3); }

  at(event) {
    const x = Math.floor(this.x + event.offsetX / this.zoom), y = Math.floor(this.y + event.offsetY / this.zoom);
    return x >= 0 && y >= 0 && x < data.width && y < data.height ? [x, y] : null;
  }

  point(event) {
    const cell = this.at(event);
    if (!cell) return;
    const [x, y] = cell, index = y * data.width + x, lines = [`${data.unit} (${x}, ${y})`], region = this.kernelOf[index];
    if (region >= 0) {
      const [name, , , w, h, group] = data.regions[region], kernel = this.kernels.get(name);
      lines.push(`${name} (${data.groups[group][0]})`, `${w} x ${h} ${data.unit}s`);
      if (kernel) lines.push(`busy ${percent((kernel.compute + kernel.movement) / data.interval)} of the interval`, `${bytes(kernel.bytes)} on the fullest ${data.unit}`);
    } else lines.push("no kernel");
    data.fields.forEach((field, i) => {
      const level = this.images[i] ? this.images[i].levels[index] : -1;
      if (level > 0) lines.push(`${field.title}: about ${this.text(field.low + ((level - 1) / 254) * (field.high - field.low), field.unit)}`);
    });
    this.hover.textContent = lines.join("\n");
  }

  click(event) {
    const cell = this.at(event), region = cell ? this.kernelOf[cell[1] * data.width + cell[0]] : -1;
    if (region >= 0) { this.selected = data.regions[region][0]; this.redraw(); openProgram(this.selected); }
  }

  reveal(name) {
    this.selected = name;
    this.touched = true;
    const region = data.regions.find(([own]) => own === name);
    if (!region) return;
    const [, x, y, w, h] = region, { clientWidth, clientHeight } = this.canvas;
    this.zoom = Math.min(40, 0.4 * Math.min(clientWidth / w, clientHeight / h));
    this.x = x + w / 2 - clientWidth / 2 / this.zoom;
    this.y = y + h / 2 - clientHeight / 2 / this.zoom;
    this.redraw();
  }
}

function select(name) { show("floor"); floor.reveal(name); }

// Time, roofline, memory, energy -------------------------------------------------------------------------------------

function time(section) {
  section.append($("p", { textContent: `Where the ${count(data.interval)} cycles between inputs go on each kernel's busiest ${data.unit}; latency of one input ${count(data.latency)} cycles.` }), legend());
  section.append($("table", {}, ...data.kernels.map((kernel) => timeRow(kernel))));
  if (!data.streams.length) return;
  section.append($("h2", { textContent: "Streams" }));
  const rows = [...data.streams].sort((a, b) => b[5] - a[5]);
  section.append(table(["stream", "from", "to", "bytes", "byte-hops", "busiest link, cycles", "latency, cycles"],
    rows.map(([name, source, target, size, hops, link, latency]) => [name, source, target, bytes(size), prefixed(hops, ""), count(link), count(latency)]), 3));
}

function table(heads, rows, numbersFrom) {
  const cells = (tag, row) => row.map((text, i) => $(tag, { textContent: text, className: i >= numbersFrom ? "number" : "" }));
  return $("table", {}, $("tr", {}, ...cells("th", heads)), ...rows.map((row) => $("tr", {}, ...cells("td", row))));
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function roofline(section) {
  const moved = new Map();
  for (const [, source, target, size] of data.streams) for (const end of [source, target]) moved.set(end, (moved.get(end) || 0) + size);
  const points = data.kernels.filter((k) => k.macs > 0 && moved.get(k.name)).map((k) => ({ name: k.name, x: k.macs / moved.get(k.name), y: k.macs / k.units / data.interval }));
  if (!points.length) { section.append($("p", { textContent: "No kernel has both multiply-adds and streams." })); return; }
  section.append($("p", { textContent: `Multiply-adds a cycle and ${data.unit}, by multiply-adds a byte that passes between kernels. The roofs are the arithmetic peak and what a ${data.unit}'s link brings in.` }));
  const W = 860, H = 460, pad = 60;
  const xs = points.map((p) => p.x), ys = [...points.map((p) => p.y), data.peak];
  const [x0, x1] = [Math.min(...xs) / 2, Math.max(...xs) * 2], [y0, y1] = [Math.min(...ys) / 2, Math.max(...ys) * 2];
  const px = (x) => pad + ((Math.log(x / x0) / Math.log(x1 / x0)) * (W - 2 * pad)), py = (y) => H - pad - ((Math.log(y / y0) / Math.log(y1 / y0)) * (H - 2 * pad));
  const plot = svg("svg", { viewBox: `0 0 ${W} ${H}`, width: W, style: "max-width:100%" });
  const clipped = (y) => Math.max(y0, Math.min(data.peak, y));
  const roof = data.network ? [x0, data.peak / data.network, x1].filter((x) => x >= x0 && x <= x1) : [x0, x1];
  const height = (x) => (data.network ? clipped(x * data.network) : data.peak);
  plot.append(svg("polyline", { points: roof.map((x) => `${px(x)},${py(height(x))}`).join(" "), fill: "none", stroke: "#d55e00", "stroke-width": 2 }));
  plot.append(svg("rect", { x: pad, y: pad, width: W - 2 * pad, height: H - 2 * pad, fill: "none", stroke: "currentColor", opacity: 0.4 }));
  for (const point of points) {
    const dot = svg("circle", { cx: px(point.x), cy: py(point.y), r: 5, fill: "#0072b2", "fill-opacity": 0.7, style: "cursor:pointer" }, svg("title", {}, `${point.name}: ${point.y.toPrecision(3)} a cycle and ${data.unit}, ${point.x.toPrecision(3)} a byte`));
    dot.onclick = () => select(point.name);
    plot.append(dot);
  }
  const label = (x, y, text, anchor = "middle") => plot.append(svg("text", { x, y, "text-anchor": anchor }, text));
  label(W / 2, H - 12, "multiply-adds a byte between kernels");
  label(pad, pad - 12, `multiply-adds a cycle and ${data.unit}; peak ${data.peak.toPrecision(3)}`, "start");
  for (const x of decades(x0, x1)) label(px(x), H - pad + 18, prefixed(x, ""));
  for (const y of decades(y0, y1)) label(pad - 8, py(y) + 4, y.toPrecision(1), "end");
  section.append(plot);
}

function decades(low, high) {
  const found = [];
  for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high); power++) found.push(10 ** power);
  return found;
}

function memory(section) {
  const most = Math.max(...data.kernels.map((k) => k.bytes), 1);
  section.append($("p", { textContent: `Bytes on each kernel's fullest ${data.unit}, and on all of them together.` }));
  const rows = [...data.kernels].sort((a, b) => b.bytes - a.bytes).map((kernel) => {
    const bar = $("div", { className: "bar" }, $("i", { className: "compute", style: `width:${(100 * kernel.bytes) / most}%` }));
    const row = $("tr", { className: "link" }, $("td", { textContent: kernel.name }), $("td", { className: "number", textContent: bytes(kernel.bytes) }), $("td", { className: "number", textContent: bytes(kernel.bytes * kernel.units) }), $("td", {}, bar));
    row.onclick = () => select(kernel.name);
    return row;
  });
  section.append($("table", {}, $("tr", {}, ...["kernel", `fullest ${data.unit}`, "all", ""].map((text) => $("th", { textContent: text }))), ...rows));
}

function energy(section) {
  const total = data.energy.reduce((sum, [, joules]) => sum + joules, 0);
  if (!total) { section.append($("p", { textContent: "This target has no model of energy." })); return; }
  const kinds = [["moves data", data.energy.filter(([, , moves]) => moves)], ["computes or leaks", data.energy.filter(([, , moves]) => !moves)]];
  section.append($("p", { textContent: `${prefixed(total, "J")} an input, ${prefixed((total * data.clock) / data.interval, "W")} in the steady state.` }));
  const W = 820, H = 360, plot = svg("svg", { viewBox: `0 0 ${W} ${H}`, width: W, style: "max-width:100%" }), tall = H - 60;
  let kindY = 30, partY = 20;
  plot.append(svg("rect", { x: 10, y: 30, width: 18, height: tall, fill: "#666" }), svg("text", { x: 10, y: 22 }, `all ${prefixed(total, "J")}`));
  for (const [kind, parts] of kinds) {
    const sum = parts.reduce((whole, [, joules]) => whole + joules, 0), height = (tall * sum) / total, paint = kind === "moves data" ? "#e69f00" : "#0072b2";
    flow(plot, 28, kindY, 300, kindY, height, paint);
    plot.append(svg("rect", { x: 300, y: kindY, width: 18, height, fill: paint }), svg("text", { x: 322, y: kindY + Math.max(12, height / 2) }, `${kind} ${percent(sum / total)}`));
    let from = kindY;
    for (const [component, joules] of [...parts].sort((a, b) => b[1] - a[1])) {
      const part = (tall * joules) / total;
      flow(plot, 318, from, 600, partY, part, paint);
      plot.append(svg("rect", { x: 600, y: partY, width: 18, height: Math.max(1, part), fill: paint }), svg("text", { x: 624, y: partY + Math.max(9, part / 2 + 4) }, `${component} ${prefixed(joules, "J")}, ${percent(joules / total)}`));
      from += part;
      partY += Math.max(16, part + 6);
    }
    kindY += height;
  }
  plot.setAttribute("viewBox", `0 0 ${W} ${Math.max(H, partY + 10)}`);
  section.append(plot);
}

function flow(plot, x0, y0, x1, y1, height, paint) {
  const middle = (x0 + x1) / 2;
  plot.append(svg("path", { d: `M${x0},${y0} C${middle},${y0} ${middle},${y1} ${x1},${y1} V${y1 + height} C${middle},${y1 + height} ${middle},${y0 + height} ${x0},${y0 + height} Z`, fill: paint, "fill-opacity": 0.35 }));
}

// Graph and program --------------------------------------------------------------------------------------------------

function graph(section) {
  section.append($("p", { textContent: "Modules of the model; equal ones in a row are folded into one. Open one to see its nodes." }), moduleView(data.modules, true));
}

function moduleView(module, open) {
  const copies = module.copies > 1 ? `${module.copies} × ` : "";
  const details = $("details", { open }, $("summary", { textContent: `${copies}${module.name} ` }, $("span", { className: "dim", textContent: `${count(module.count)} nodes` })));
  let filled = false;
  const fill = () => {
    if (filled) return;
    filled = true;
    for (const [name, op, type, place] of module.nodes) details.append($("div", { className: "node", title: place }, `%${name} = ${op} : ${type}  `, $("span", { className: "dim", textContent: data.sources[place] || place })));
    for (const child of module.children) details.append(moduleView(child, false));
  };
  details.ontoggle = () => details.open && fill();
  if (open) fill();
  return details;
}

let programLines = null;

function program(section) {
  const search = $("input", { placeholder: "find in the program", onkeydown: (event) => event.key === "Enter" && find(search.value) });
  const text = $("pre", {});
  const names = new Set(data.regions.map(([name]) => name));
  programLines = new Map();
  for (const line of data.program.split("\n")) {
    const made = $("div", { className: "line", textContent: line || " " });
    const quoted = /^\s*\S+\s+"([^"]+)"/.exec(line);
    if (quoted && names.has(quoted[1]) && !programLines.has(quoted[1])) {
      programLines.set(quoted[1], made);
      made.classList.add("kernel");
      made.title = "show on the floor plan";
      made.onclick = () => select(quoted[1]);
      const place = /in "([^"]*?:\d+)/.exec(line);
      if (place && data.sources[place[1]]) made.append($("span", { className: "dim", textContent: `   # ${data.sources[place[1]]}` }));
    }
    text.append(made);
  }
  section.append(search, text);
  let from = -1;
  const find = (wanted) => {
    const lines = [...text.children], start = from + 1;
    for (let i = 0; i < lines.length; i++) {
      const at = (start + i) % lines.length;
      if (wanted && lines[at].textContent.includes(wanted)) { from = at; light(lines[at]); return; }
    }
  };
}

function light(line) {
  document.querySelectorAll("#program .hot").forEach((other) => other.classList.remove("hot"));
  line.classList.add("hot");
  line.scrollIntoView({ block: "center" });
}

function openProgram(name) {
  show("program");
  const line = programLines.get(name);
  if (line) light(line);
}

// --------------------------------------------------------------------------------------------------------------------

(async () => {
  data = await unpack();
  document.getElementById("loading").remove();
  document.getElementById("bounded").textContent = `${count(data.interval)} cycles between inputs. Bounded by ${data.bounded}.`;
  addView("overview", "Overview", overview);
  addView("floor", "Floor plan", (section) => { floor = new FloorPlan(section); });
  addView("time", "Time", time);
  addView("roofline", "Roofline", roofline);
  addView("memory", "Memory", memory);
  addView("energy", "Energy", energy);
  addView("graph", "Graph", graph);
  addView("program", "Program", program);
  show(views[location.hash.slice(1)] ? location.hash.slice(1) : "overview");
  document.body.dataset.ready = "true";
})();
