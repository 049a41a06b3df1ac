"""The report page: the data it holds, and that it holds everything itself."""

import base64
import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.compiler.graphs import graph
from wsc.compiler.machine import Capacity
from wsc.reports.page import Report, report_page
from wsc.reports.page.links import owners, places, program_lines
from wsc.reports.page.modules import module_tree
from wsc.reports.page.times import SPANS, timeline_data
from wsc.simulation.floorplan import Field, Floorplan, Region
from wsc.simulation.timeline import Counter, Span, Timeline, Track
from wsc.simulation.trace import EnergyPart, KernelTrace, StepTrace, StreamTrace, Trace

LAYER = 'elementwise(fn=\'relu\', scalars=(None,)) %{0} : f32[4] at "{file}":2 in "layers.{1}"'


def chain(file: str = "gone.py", layers: int = 3) -> Any:
    names = ["x", *(f"r{i}" for i in range(layers))]
    lines = [f"%{names[i + 1]} = " + LAYER.format(names[i], i, file=file) for i in range(layers)]
    return graph("%x = input(index=0) : f32[4]", *lines, f"return %{names[-1]}")


def report(file: str = "gone.py") -> Report:
    kernel = KernelTrace(
        "fc", "linear", 6, 12, 3, 5, 1000, 2048, (StepTrace("%y = relu() %x", "compute", 12, 13),)
    )
    stream = StreamTrace("s0", "host", "fc", 64, 128, 8, 11)
    energy = (EnergyPart("links", 1e-9, True),)
    values = np.array([[0.0, 1.0, np.nan], [2.0, 4.0, 3.0]])
    plan = Floorplan(
        "m on w", 3, 2, (Region("fc", 0, 0, 3, 2, "linear"),), (Field("SRAM used", "bytes", values),)
    )
    trace = Trace(1e9, 120, 20, (kernel,), (stream,), "kernel 'fc'", energy)
    capacity = Capacity("core", 6, 1, 6 * 4096, 6e9, network_bytes_per_second=24e9)
    text = 'kernel "fc" linear at 0,0 in "gone.py:2 (in layers.0)"\n  </script><b>not a tag</b>\n'
    return Report("m on w", [("interval", "20 cycles")], chain(file), trace, plan, capacity, text)


def data_of(page: str) -> Any:
    found = re.search(r'<script id="data"[^>]*>([^<]*)</script>', page)
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def test_the_data_is_that_of_the_build() -> None:
    data = data_of(report_page(report()))
    assert (data["width"], data["height"], data["interval"], data["latency"]) == (3, 2, 20, 120)
    assert data["regions"] == [["fc", 0, 0, 3, 2, 0]]
    assert data["kernels"][0]["compute"] == 12
    assert data["streams"] == [["s0", "host", "fc", 64, 128, 8, 11]]
    assert data["energy"] == [["links", 1e-9, True]]
    assert (data["peak"], data["network"]) == (1.0, 4.0)  # a cycle and core
    assert "</script>" in data["program"]


def test_a_field_is_a_picture_of_254_levels_and_nothing() -> None:
    field = data_of(report_page(report()))["fields"][0]
    assert (field["low"], field["high"]) == (0.0, 4.0)
    levels = np.asarray(Image.open(io.BytesIO(base64.b64decode(field["png"]))))
    assert levels.tolist() == [[1, 1 + round(254 / 4), 0], [1 + 127, 255, 1 + round(254 * 3 / 4)]]


def test_the_overview_says_what_bounds_the_run_and_what_is_validated() -> None:
    data = data_of(report_page(replace(report(), bound_cycles=4, validated="products 3% (2 rows, hardware)")))
    assert data["told"][0] == "One input every 20 cycles, bounded by kernel 'fc'."
    assert "60.0 % goes into computing and 15.0 % into moving data; 25.0 % is waiting" in data["told"][1]
    assert "less than 4 cycles; this, 5.0 times" in data["told"][2]
    assert "products 3% (2 rows, hardware)" in data["told"][3]
    assert "not validated" in data_of(report_page(report()))["told"][-1]
    assert [tile[0] for tile in data["tiles"]][:3] == ["latency", "throughput", "energy an input"]


def test_a_time_line_is_there_where_the_target_has_one() -> None:
    spans = (Span("recv", "movement", 5, 10), Span("mac", "compute", 20, 4, {"instruction": "%y = mac %x"}))
    tracks = (Track("kernels", "fc", spans), Track("streams", "s0", (Span("t", "odd", 0, 3),)))
    made = Timeline("m", 1e9, tracks, (Counter("power", "W", ((0, 1.23456), (5, 2.0))),))
    found = data_of(report_page(replace(report(), timeline=made)))["timeline"]
    assert found["names"] == ["recv", "%y = mac %x", "t"]
    assert found["tracks"] == [["kernels", "fc", [0, 1, 5, 10, 1, 0, 5, 4]], ["streams", "s0", [2, 3, 0, 3]]]
    assert found["counters"] == [["power", "W", [0, 5], [1.235, 2.0]]]
    assert data_of(report_page(report()))["timeline"] is None


def test_a_long_time_line_is_put_together() -> None:
    spans = tuple(Span("a", "compute", 2 * i, 1) for i in range(40_000))
    found = timeline_data(Timeline("m", 1e9, (Track("kernels", "fc", spans),)))
    assert found is not None
    assert found["all"] == 40_000
    assert found["shown"] == len(found["tracks"][0][2]) // 4 <= SPANS


def test_regions_kernels_lines_and_sources_lead_to_each_other() -> None:
    made = report()
    kernels = ["conv", "conv.deep", "copy"]
    text = 'stage "conv" x\n  gemm(m=1, label=\'conv.deep\')\nkernel "other" y\nstage "conv" again\n'
    assert program_lines(text, kernels, ["other"]) == {"conv": 0, "conv.deep": 1, "other": 2}
    regions = tuple(Region(name, x, 0, 1, 1, "g") for x, name in enumerate(("conv (tile 0)", "fc", "rank 3")))
    plan = Floorplan("m", 3, 1, regions)
    traced = tuple(replace(made.trace.kernels[0], name=name) for name in ("fc", "conv"))
    assert owners(plan, replace(made.trace, kernels=traced)) == [1, 0, -1]
    assert places(made.graph, ["r1", "layers.2", "layers.0.deep", "gone"]) == {
        "r1": "gone.py:2",
        "layers.2": "gone.py:2",
        "layers.0.deep": "gone.py:2",
    }


def test_the_page_needs_nothing_from_outside() -> None:
    page = report_page(report())
    outside = re.findall(r"(?:src|href)\s*=|@import|url\(|https?://(?!www\.w3\.org/2000/svg)|fetch\(", page)
    assert not outside
    assert page.count("<script") == page.count("</script>") == 2


def test_the_same_build_gives_the_same_page() -> None:
    assert report_page(report()) == report_page(report())


def test_lines_of_the_model_are_shown_where_they_can_be_read(tmp_path: Path) -> None:
    assert data_of(report_page(report()))["sources"] == {}
    model = tmp_path / "model.py"
    model.write_text("import torch\n    x = torch.relu(x)\n")
    assert data_of(report_page(report(str(model))))["sources"] == {f"{model}:2": "x = torch.relu(x)"}


def test_equal_modules_in_a_row_are_one_entry() -> None:
    tree = module_tree(chain())
    assert (tree["name"], tree["count"]) == ("test", 4)
    layers = tree["children"][0]
    assert (layers["name"], layers["copies"], layers["count"]) == ("layers", 1, 3)
    assert [(c["name"], c["copies"], c["count"]) for c in layers["children"]] == [("0 … 2", 3, 1)]


def test_a_weight_belongs_to_the_module_that_reads_it() -> None:
    found = graph(
        "%x = input(index=0) : f32[4]",
        "%w = parameter(key='w') : f32[4]",
        '%y = elementwise(fn=\'add\', scalars=(None, None)) %x %w : f32[4] at "gone.py":1 in "fc"',
        "return %y",
    )
    tree = module_tree(found)
    assert [node[0] for node in tree["nodes"]] == ["x"]
    assert [node[0] for node in tree["children"][0]["nodes"]] == ["w", "y"]
