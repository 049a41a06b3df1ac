// Graph and program --------------------------------------------------------------------------------------------------

function graph(section) {
  section.append($("p", { textContent: "Modules of the model; equal ones in a row are folded into one. Open one to see its nodes." }), moduleView(data.modules, true, "", true));
}

function moduleView(module, open, path = "", root = false) {
  const copies = module.copies > 1 ? `${module.copies} × ` : "", here = path ? `${path}.${module.name.split(" … ")[0]}` : module.name.split(" … ")[0];
  const details = $("details", { open }, $("summary", { textContent: `${copies}${module.name} ` }, $("span", { className: "dim", textContent: `${count(module.count)} nodes` })));
  const kernel = kernelNames().has(here) ? here : null;
  if (kernel) details.firstChild.append(placeLink(kernel));
  let filled = false;
  const fill = () => {
    if (filled) return;
    filled = true;
    nodeList(details, module.nodes);
    for (const child of module.children) details.append(moduleView(child, child.children.some((inner) => inner.copies > 1), root ? "" : here));
  };
  details.ontoggle = () => details.open && fill();
  if (open) fill();
  return details;
}

const FEW = 12;

function nodeList(details, nodes) {
  const line = ([name, op, type, place]) => {
    const made = $("div", { className: "node", title: place }, `%${name} = ${op} : ${type}  `, $("span", { className: "dim", textContent: data.sources[place] || place }));
    if (kernelNames().has(name)) made.append(placeLink(name));
    return made;
  };
  details.append(...nodes.slice(0, FEW).map(line));
  if (nodes.length <= FEW) return;
  const more = $("details", { className: "more" }, $("summary", { className: "dim", textContent: `${count(nodes.length - FEW)} nodes more` }));
  more.ontoggle = () => { if (more.open && more.children.length === 1) more.append(...nodes.slice(FEW).map(line)); };
  details.append(more);
}

let names = null;
const kernelNames = () => (names ||= new Set(data.kernels.map((kernel) => kernel.name)));

function placeLink(kernel) {
  const link = $("a", { textContent: " ▦", title: "show on the floor plan", href: "#floor" });
  link.onclick = (event) => { event.preventDefault(); select(kernel); };
  return link;
}

let programLines = null;

function program(section) {
  const search = $("input", { placeholder: "find in the program", onkeydown: (event) => event.key === "Enter" && find(search.value) });
  const text = $("pre", {}), lines = data.program.split("\n").map((line) => $("div", { className: "line", textContent: line || " " }));
  programLines = new Map();
  for (const [name, number] of Object.entries(data.lines)) {
    const line = lines[number], source = data.sources[data.places[name]];
    programLines.set(name, line);
    line.classList.add("kernel");
    line.title = `${data.places[name] || name}: show on the floor plan`;
    line.onclick = () => select(name);
    if (source) line.append($("span", { className: "dim", textContent: `   # ${source}` }));
  }
  text.append(...lines);
  section.append(search, text);
  let from = -1;
  const find = (wanted) => {
    for (let i = 1; i <= lines.length; i++) {
      const at = (from + i) % lines.length;
      if (wanted && lines[at].textContent.includes(wanted)) { from = at; light(lines[at]); return; }
    }
  };
}

function light(line) {
  document.querySelectorAll("#program .hot").forEach((other) => other.classList.remove("hot"));
  line.classList.add("hot");
  line.scrollIntoView({ block: "center" });
}

function openProgram(region) {
  show("program");
  const kernel = data.kernels[data.owners[region]], line = programLines.get(data.regions[region][0]) || (kernel && programLines.get(kernel.name));
  if (line) light(line);
}
