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
