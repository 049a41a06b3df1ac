// Roofline, memory, energy -------------------------------------------------------------------------------------

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

function rooflinePoints() {
  const able = data.kernels.filter((kernel) => kernel.macs > 0);
  if (data.bandwidth) { // memories apart from the arithmetic: what a kernel's operands and results are in them, in its own time
    return able.filter((k) => k.bytes && k.compute > 0).map((k) => ({ name: k.name, x: k.macs / (k.bytes * k.units), y: k.macs / k.units / k.compute }));
  }
  const moved = new Map();
  for (const [, source, target, size] of data.streams) for (const end of [source, target]) moved.set(end, (moved.get(end) || 0) + size);
  return able.filter((k) => moved.get(k.name)).map((k) => ({ name: k.name, x: k.macs / moved.get(k.name), y: k.macs / k.units / data.interval }));
}

function roofline(section) {
  const points = rooflinePoints(), rate = data.bandwidth || data.network;
  if (!points.length) { section.append($("p", { textContent: "No kernel has both multiply-adds and data that it takes from elsewhere." })); return; }
  const across = data.bandwidth ? "multiply-adds a byte of operands and results in memory" : "multiply-adds a byte that passes between kernels";
  const over = data.bandwidth ? "while the kernel runs" : "over the interval";
  section.append($("p", { textContent: `Multiply-adds a cycle and ${data.unit} ${over}, by ${across}. The roofs are the arithmetic peak and what ${data.bandwidth ? `a ${data.unit}'s memory` : `a ${data.unit}'s link`} brings in.` }));
  const W = 900, H = 480, pad = 64;
  const ridge = rate ? data.peak / rate : null, xs = [...points.map((p) => p.x), ...(ridge ? [ridge] : [])], ys = [...points.map((p) => p.y), data.peak];
  const [x0, x1] = [Math.min(...xs) / 3, Math.max(...xs) * 3], [y0, y1] = [Math.min(...ys) / 3, Math.max(...ys) * 2];
  const px = (x) => pad + (Math.log(x / x0) / Math.log(x1 / x0)) * (W - pad - 20), py = (y) => H - pad - (Math.log(y / y0) / Math.log(y1 / y0)) * (H - pad - 40);
  const plot = svg("svg", { viewBox: `0 0 ${W} ${H}`, width: W, style: "max-width:100%" });
  const label = (x, y, text, anchor = "middle") => plot.append(svg("text", { x, y, "text-anchor": anchor }, text));
  const line = (a, b, c, d) => plot.append(svg("line", { x1: a, y1: b, x2: c, y2: d, stroke: "currentColor", opacity: 0.12 }));
  for (const x of ticks(x0, x1)) { line(px(x), 40, px(x), H - pad); label(px(x), H - pad + 18, plain(x)); }
  for (const y of ticks(y0, y1)) { line(pad, py(y), W - 20, py(y)); label(pad - 8, py(y) + 4, plain(y), "end"); }
  plot.append(svg("rect", { x: pad, y: 40, width: W - pad - 20, height: H - pad - 40, fill: "none", stroke: "currentColor", opacity: 0.4 }));
  const roof = rate ? [Math.max(x0, y0 / rate), ridge, x1] : [x0, x1];
  plot.append(svg("polyline", { points: roof.map((x) => `${px(x)},${py(rate ? Math.min(data.peak, x * rate) : data.peak)}`).join(" "), fill: "none", stroke: "#d55e00", "stroke-width": 2 }));
  label(W - 26, py(data.peak) - 6, `peak ${plain(data.peak)}`, "end");
  for (const point of points) {
    const dot = svg("circle", { cx: px(point.x), cy: py(point.y), r: 5, fill: "#0072b2", "fill-opacity": 0.6, style: "cursor:pointer" }, svg("title", {}, `${point.name}: ${point.y.toPrecision(3)} a cycle and ${data.unit}, ${point.x.toPrecision(3)} a byte`));
    dot.onclick = () => select(point.name);
    plot.append(dot);
  }
  label((W + pad) / 2, H - 14, across);
  label(pad, 26, `multiply-adds a cycle and ${data.unit}`, "start");
  section.append(plot);
}

const plain = (value) => (value < 1000 ? String(Number(value.toPrecision(3))) : prefixed(value, "").trim());

function ticks(low, high) {
  const wide = Math.log10(high / low) > 2.5, found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) for (const digit of wide ? [1] : [1, 2, 5]) found.push(digit * 10 ** power);
  return found.filter((value) => value >= low && value <= high);
}

function memory(section) {
  const room = data.memory, most = Math.max(1, ...data.kernels.map((k) => k.bytes)), over = most < room / 20 ? most : Math.max(most, room);
  section.append($("p", { textContent: `Bytes of each kernel on its fullest ${data.unit}, of the ${bytes(room)} that one has, and on all of them together. ${data.turns ? `Kernels that take turns on a ${data.unit} share its memory.` : ""}` }));
  const rows = [...data.kernels].sort((a, b) => b.bytes - a.bytes).map((kernel) => {
    const bar = $("div", { className: "bar" }, $("i", { className: "compute", style: `width:${(100 * kernel.bytes) / over}%` }));
    const row = $("tr", { className: "link", title: "show on the floor plan" }, $("td", { textContent: kernel.name }), $("td", { className: "number", textContent: bytes(kernel.bytes) }),
      $("td", { className: "number", textContent: percent(kernel.bytes / room) }), $("td", { className: "number", textContent: bytes(kernel.bytes * kernel.units) }), $("td", {}, bar));
    row.onclick = () => select(kernel.name);
    return row;
  });
  section.append($("table", { className: "bars" }, $("tr", {}, ...["kernel", `fullest ${data.unit}`, "of its memory", "all", ""].map((text, i) => $("th", { textContent: text, className: i && i < 4 ? "number" : "" }))), ...rows));
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

