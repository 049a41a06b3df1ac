
// Time ---------------------------------------------------------------------------------------------------------------

const KINDS = ["#0072b2", "#e69f00", "#009e73", "#999999"]; // compute, movement, stream, others: as KINDS of times.py
const ROW = 15, LEFT = 210, HEAD = 22, TALL = 46;

class TimeLine {
  constructor(section) {
    this.tracks = data.timeline.tracks.map(([group, name, flat]) => {
      const spans = [];
      for (let i = 0, end = 0; i < flat.length; i += 4) {
        const start = end + flat[i + 2];
        spans.push([start, (end = start + flat[i + 3]), flat[i], flat[i + 1]]);
      }
      return { group, name, spans };
    }).filter((track) => track.spans.length);
    const names = new Set(this.tracks.map((track) => track.name)), groups = new Set(this.tracks.map((track) => track.group));
    const alone = names.size === this.tracks.length && groups.size < this.tracks.length; // a name says which track is meant
    for (const track of this.tracks) track.label = alone ? track.name : `${track.group}: ${track.name}`;
    this.counters = data.timeline.counters.filter(([, , at]) => at.length > 2);
    this.top = HEAD + this.counters.length * TALL;
    this.end = Math.max(1, ...this.tracks.flatMap((track) => track.spans.map((span) => span[1])));
    [this.from, this.to] = [0, this.end];
    this.canvas = $("canvas", { tabIndex: 0, className: "timeline" });
    this.hover = $("p", { className: "spans dim", textContent: "Move over a span. Drag to pan, turn the wheel with Ctrl or Shift held to zoom." });
    this.box = $("div", { className: "tracks" }, this.canvas);
    section.append(this.hover, this.box);
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.box.onscroll = () => this.redraw();
    this.listen();
  }

  listen() {
    const canvas = this.canvas;
    let from = null;
    canvas.onwheel = (event) => {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      const at = this.cycle(event.offsetX), factor = Math.exp((event.deltaY || event.deltaX) / 400);
      this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
    };
    canvas.onpointerdown = (event) => { from = event.offsetX; canvas.setPointerCapture(event.pointerId); };
    canvas.onpointerup = () => { from = null; };
    canvas.onpointermove = (event) => {
      if (from === null) { this.point(event); return; }
      const moved = this.cycle(from) - this.cycle(event.offsetX);
      from = event.offsetX;
      this.show(this.from + moved, this.to + moved);
    };
    canvas.ondblclick = () => this.show(0, this.end);
  }

  show(from, to) {
    const wide = Math.min(this.end, Math.max(10, to - from));
    this.from = Math.min(Math.max(0, from), this.end - wide);
    this.to = this.from + wide;
    this.redraw();
  }

  cycle(x) { return this.from + ((x - LEFT) / (this.box.clientWidth - LEFT)) * (this.to - this.from); }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const width = this.box.clientWidth, height = this.tracks.length * ROW + this.top, scale = window.devicePixelRatio || 1;
    if (!width) return;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.canvas.style.height = `${height}px`;
    }
    const context = this.canvas.getContext("2d"), ink = getComputedStyle(document.body).color;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    const step = (width - LEFT) / (this.to - this.from);
    const first = Math.max(0, Math.floor((this.box.scrollTop - this.top) / ROW)), last = Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW);
    this.axis(context, ink, step, width, height);
    this.counters.forEach((counter, i) => this.counter(context, counter, HEAD + i * TALL, ink, step, width));
    this.tracks.slice(first, last).forEach((track, i) => this.track(context, track, this.top + (first + i) * ROW, ink, step, width));
  }

  axis(context, ink, step, width, height) {
    const rate = data.timeline.clock, wide = (this.to - this.from) / rate, unit = 10 ** Math.ceil(Math.log10(wide / 8));
    const every = [unit / 5, unit / 2, unit].find((gap) => wide / gap <= 9) * rate;
    context.fillStyle = ink;
    context.strokeStyle = "#8883";
    for (let at = Math.ceil(this.from / every) * every; at <= this.to; at += every) {
      const x = LEFT + (at - this.from) * step;
      context.beginPath(); context.moveTo(x, HEAD - 6); context.lineTo(x, height); context.stroke();
      context.fillText(short(at / rate), Math.min(x + 3, width - 50), HEAD - 8);
    }
  }

  track(context, track, y, ink, step, width) {
    context.fillStyle = ink;
    context.fillText(track.label.length > 33 ? `${track.label.slice(0, 32)}…` : track.label, 2, y + 11);
    for (const [start, end, , kind] of track.spans) {
      if (end < this.from || start > this.to) continue;
      const left = Math.max(LEFT, LEFT + (start - this.from) * step), right = Math.min(width, LEFT + (end - this.from) * step);
      context.fillStyle = KINDS[kind];
      context.fillRect(left, y + 2, Math.max(0.6, right - left - (right - left > 3 ? 0.5 : 0)), ROW - 4);
    }
  }

  counter(context, [name, unit, at, values], y, ink, step, width) {
    const most = Math.max(...values, 1e-30), high = TALL - 8, px = (cycle) => Math.min(width, Math.max(LEFT, LEFT + (cycle - this.from) * step));
    context.fillStyle = ink;
    context.fillText(name, 2, y + 14);
    context.fillText(`0 to ${prefixed(most, unit)}`, 2, y + 28);
    context.fillStyle = "#56b4e9";
    context.beginPath();
    context.moveTo(px(at[0]), y + high);
    values.forEach((value, i) => {
      const level = y + high - (high - 4) * (value / most);
      context.lineTo(px(at[i]), level);
      context.lineTo(px(at[i + 1] ?? at[i]), level);
    });
    context.lineTo(px(at[at.length - 1]), y + high);
    context.fill();
  }

  point(event) {
    const counter = this.counters[Math.floor((event.offsetY - HEAD) / TALL)];
    if (counter && event.offsetY >= HEAD && event.offsetX >= LEFT) {
      const [name, unit, at, values] = counter, now = this.cycle(event.offsetX);
      const i = at.findLastIndex((cycle) => cycle <= now);
      this.hover.textContent = i < 0 ? name : `${name}: ${prefixed(values[i], unit)} at cycle ${count(now)}`;
      return;
    }
    const track = this.tracks[Math.floor((event.offsetY - this.top) / ROW)], at = this.cycle(event.offsetX);
    if (!track || event.offsetX < LEFT) return;
    const span = track.spans.find(([start, end]) => start <= at && at < end);
    this.hover.textContent = `${track.group}: ${track.name}` + (span
      ? ` — ${data.timeline.names[span[2]]}, from ${count(span[0])} for ${count(span[1] - span[0])} cycles (${prefixed((span[1] - span[0]) / data.timeline.clock, "s")})` : "");
  }
}

function short(seconds) { // 1.500 ms is 1.5 ms
  const [digits, unit] = prefixed(seconds, "s").split(" ");
  return `${Number(digits)} ${unit}`;
}

let timeline = null;

function time(section) {
  if (data.timeline) {
    const fewer = data.timeline.shown < data.timeline.all ? `, ${count(data.timeline.all)} spans put together into ${count(data.timeline.shown)}` : "";
    section.append($("h2", { textContent: `The first inputs, from an empty machine${fewer}` }));
    section.append($("p", {}, ...[["compute", KINDS[0]], ["movement", KINDS[1]], ["stream", KINDS[2]], ["other", KINDS[3]]].map(([name, paint]) =>
      $("span", {}, $("span", { className: "swatch", style: `background:${paint}` }), ` ${name}   `))));
    timeline = new TimeLine(section);
  }
  section.append($("h2", { textContent: `Where the ${count(data.interval)} cycles between inputs go, on each kernel's busiest ${data.unit}` }), legend());
  section.append($("table", { className: "bars" }, ...data.kernels.map((kernel) => timeRow(kernel))));
  steps(section);
  if (!data.streams.length) return;
  section.append($("h2", { textContent: "Streams" }));
  const rows = [...data.streams].sort((a, b) => b[5] - a[5]);
  section.append(table(["stream", "from", "to", "bytes", "byte-hops", "busiest link, cycles", "latency, cycles"],
    rows.map(([name, source, target, size, hops, link, latency]) => [name, source, target, bytes(size), prefixed(hops, ""), count(link), count(latency)]), 3));
}

function steps(section) {
  const every = data.kernels.flatMap((kernel) => kernel.steps.map((step) => [kernel.name, ...step]));
  const longest = every.sort((a, b) => b[3] - a[3]).slice(0, 25).filter((step) => step[3] > 0);
  if (!longest.length) return;
  section.append($("h2", { textContent: `Longest of ${count(every.length)} instructions` }));
  section.append(table(["kernel", "instruction", "kind", "busy, cycles", "of the interval"],
    longest.map(([kernel, text, kind, busy]) => [kernel, text.length > 110 ? `${text.slice(0, 109)}…` : text, kind, count(busy), percent(busy / data.interval)]), 3));
}
