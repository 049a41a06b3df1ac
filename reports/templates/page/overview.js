// Overview -----------------------------------------------------------------------------------------------------------

function overview(section) {
  section.append($("div", { className: "tiles" }, ...data.tiles.map(([what, figure, more]) =>
    $("div", { className: "tile" }, $("span", { className: "dim", textContent: what }), $("b", { textContent: figure }), $("span", { className: "dim", textContent: more })))));
  section.append($("div", { className: "told" }, ...data.told.map((sentence) => $("p", { textContent: sentence }))));
  section.append($("h2", { textContent: "Busiest kernels" }), legend());
  const busy = [...data.kernels].sort((a, b) => b.compute + b.movement - a.compute - a.movement).slice(0, 10);
  section.append($("table", { className: "bars" }, ...busy.map((kernel) => timeRow(kernel))));
  section.append($("h2", { textContent: "The build" }));
  section.append($("table", {}, ...data.summary.map(([name, value]) => $("tr", {}, $("th", { textContent: name }), $("td", { textContent: value })))));
}

const legend = () => $("p", {}, ...[["compute", "var(--compute)"], ["moving data", "var(--movement)"], [data.turns ? "other kernels, or waiting" : "waiting", "var(--idle)"]].map(([name, paint]) =>
  $("span", {}, $("span", { className: "swatch", style: `background:${paint}` }), ` ${name}   `)));

function timeRow(kernel) {
  const whole = data.turns ? Math.max(...data.kernels.map((other) => other.compute + other.movement)) : data.interval;
  const share = (cycles) => `width:${(100 * cycles) / whole}%`;
  const bar = $("div", { className: "bar" }, $("i", { className: "compute", style: share(kernel.compute) }), $("i", { className: "movement", style: share(kernel.movement) }));
  const busy = (kernel.compute + kernel.movement) / data.interval;
  const row = $("tr", { className: "link", title: "show on the floor plan" }, $("td", { textContent: kernel.name }), $("td", { textContent: kernel.group, className: "dim" }),
    $("td", { className: "number", textContent: percent(busy) }), $("td", {}, bar));
  row.onclick = () => select(kernel.name);
  return row;
}

