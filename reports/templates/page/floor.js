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
    this.listen();
    this.choose().then(() => this.decodeAll());
  }

  async decodeAll() {
    for (const [i, field] of data.fields.entries()) {
      if (!this.images[i]) this.images[i] = await this.decode(field);
      await new Promise((done) => setTimeout(done));
    }
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
      const taken = this.kernelOf.reduce((sum, owner) => sum + (owner >= 0), 0), free = data.width * data.height - taken - data.blocked.length;
      for (const [name, paint, left] of [["no kernel", data.paints.unused, free], ["blocked", data.paints.blocked, data.blocked.length]])
        if (left > 0) this.key.append($("div", { className: "key" }, $("span", { className: "swatch", style: `background:${paint}` }), `${name}: ${count(left)}`));
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
      const [name, , , w, h, group] = data.regions[region], kernel = data.kernels[data.owners[region]];
      lines.push(name === data.groups[group][0] ? name : `${name} (${data.groups[group][0]})`);
      if (w * h > 1) lines.push(`${w} x ${h} ${data.unit}s`);
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
    if (region >= 0) { this.selected = data.regions[region][0]; this.redraw(); openProgram(region); }
  }

  reveal(name) {
    const number = data.kernels.findIndex((kernel) => kernel.name === name);
    const found = data.regions.filter(([own], i) => own === name || (number >= 0 && data.owners[i] === number));
    if (!found.length) return;
    this.selected = found[0][0];
    this.touched = true;
    const x = Math.min(...found.map((r) => r[1])), y = Math.min(...found.map((r) => r[2]));
    const w = Math.max(...found.map((r) => r[1] + r[3])) - x, h = Math.max(...found.map((r) => r[2] + r[4])) - y;
    const { clientWidth, clientHeight } = this.canvas;
    this.zoom = Math.min(80, 0.4 * Math.min(clientWidth / w, clientHeight / h));
    this.x = x + w / 2 - clientWidth / 2 / this.zoom;
    this.y = y + h / 2 - clientHeight / 2 / this.zoom;
    this.redraw();
  }
}

function select(name) { // where a kernel lies, or what it is where it has no place of its own
  const number = data.kernels.findIndex((kernel) => kernel.name === name);
  if (data.regions.some(([own], i) => own === name || (number >= 0 && data.owners[i] === number))) { show("floor"); floor.reveal(name); return; }
  show("program");
  if (programLines.get(name)) light(programLines.get(name));
}

