import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.reports.samples import random_plan, small_plan
from wsc.compiler.errors import UserError
from wsc.reports import palette
from wsc.reports.blocks import block_mean
from wsc.reports.heatmap import draw_field, draw_kernels
from wsc.reports.picture import DPI, LEFT, TOP, Grid, Picture
from wsc.simulation.floorplan import UNUSED, Field, Floorplan, Region

PNG, NAN = b"\x89PNG\r\n\x1a\n", float("nan")


def pixels(picture: Picture) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(picture.png_bytes())).convert("RGB"))


def fabric_pixels(picture: Picture, grid: Grid) -> NDArray[np.uint8]:
    columns, rows = grid.pixels
    top, left = int(TOP * DPI), int(LEFT * DPI)
    return pixels(picture)[top : top + rows, left : left + columns]


@pytest.mark.parametrize(
    ("width", "height"), [(750, 994), (996, 757), (333, 7), (7, 333), (1201, 64), (50, 2399), (211, 21)]
)
def test_every_core_is_a_whole_number_of_pixels(width: int, height: int) -> None:
    values = np.random.default_rng(0).uniform(0, 1, (height, width))
    values[::2, ::2] = 0
    values[1::2, 1::2] = NAN
    plan, field = Floorplan("board", width, height), Field("noise", "", values, 0, 1)
    grid = Grid.of(width, height)
    expected = palette.shade(values, field.scale)[..., :3]
    expected[np.isnan(values)] = palette.rgb(palette.NO_VALUE.colour)
    expected = expected.repeat(grid.cell, axis=0).repeat(grid.cell, axis=1)
    np.testing.assert_array_equal(fabric_pixels(draw_field(plan, field), grid), expected)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (16, 16), (3, 40), (97, 61)])
def test_inside_the_lines_every_pixel_is_its_cores(width: int, height: int) -> None:
    values = np.indices((height, width)).sum(axis=0) % 2.0
    plan, field = Floorplan("board", width, height), Field("noise", "", values, 0, 1)
    grid = Grid.of(width, height)
    image = fabric_pixels(draw_field(plan, field), grid).reshape(height, grid.cell, width, grid.cell, 3)
    inside = image[:, 2:-2, :, 2:-2]
    expected = palette.shade(values, field.scale)[..., :3][:, None, :, None]
    np.testing.assert_array_equal(inside, np.broadcast_to(expected, inside.shape))


def test_a_fabric_too_large_is_averaged_in_whole_blocks() -> None:
    values = np.random.default_rng(0).uniform(0, 1, (100, 4801))
    plan, field = Floorplan("wide", 4801, 100), Field("noise", "", values, 0, 1)
    grid = Grid.of(4801, 100)
    assert (grid.cell, grid.block, grid.pixels) == (1, 3, (1601, 34))
    expected = palette.shade(block_mean(values, 3, 3), field.scale)[..., :3]
    np.testing.assert_array_equal(fabric_pixels(draw_field(plan, field), grid), expected)


def test_kernels_lie_where_the_plan_says() -> None:
    plan = small_plan()
    grid = Grid.of(plan.width, plan.height)
    image = fabric_pixels(draw_kernels(plan), grid)
    colours = {0: palette.GROUPS[0], 1: palette.GROUPS[1], 2: palette.GROUPS[2], -2: palette.BLOCKED.colour}
    cores = image.reshape(plan.height, grid.cell, plan.width, grid.cell, 3).swapaxes(1, 2)
    for (y, x), owner in np.ndenumerate(plan.owners):
        if owner != UNUSED:  # most of a core's pixels are neither edge nor name
            assert tuple(np.median(cores[y, x], axis=(0, 1))) == palette.rgb(colours[int(owner)]), (x, y)


def test_outlines_and_blocked_cores_show_on_a_field() -> None:
    plan = Floorplan("p", 300, 300, (Region("a", 50, 60, 100, 100, "g"),), blocked=((200, 210),))
    values = np.zeros((300, 300))
    values[210, 200] = NAN
    grid = Grid.of(300, 300)
    image = fabric_pixels(draw_field(plan, Field("zero", "", values, 0, 1)), grid).astype(int)
    dark = np.array(palette.rgb("#440154"))
    assert (image[100 * grid.cell, 50 * grid.cell - 2 : 50 * grid.cell + 2] > dark).any()
    assert tuple(image[210 * grid.cell + 1, 200 * grid.cell + 1]) == palette.rgb(
        palette.BLOCKED_ON_FIELD.colour
    )
    assert (image[:50] == dark).all()


def test_the_same_plan_gives_the_same_bytes() -> None:
    first = [draw_kernels(small_plan()), draw_field(small_plan(), small_plan().fields[0], value_labels=True)]
    again = [draw_kernels(small_plan()), draw_field(small_plan(), small_plan().fields[0], value_labels=True)]
    for one, other in zip(first, again, strict=True):
        svg, png = one.svg_bytes(), one.png_bytes()
        assert (svg, png) == (other.svg_bytes(), other.png_bytes())
        assert (svg, png) == (one.svg_bytes(), one.png_bytes())
        assert b"Software" not in png
        assert b"Matplotlib" not in svg
        assert b"dc:date" not in svg


def test_the_users_settings_neither_matter_nor_change() -> None:
    plain = draw_kernels(small_plan()).png_bytes()
    with matplotlib.rc_context(
        {"font.size": 30, "savefig.bbox": "tight", "axes.grid": True, "font.family": "serif"}
    ):
        before = dict(matplotlib.rcParams)
        assert draw_kernels(small_plan()).png_bytes() == plain
        assert dict(matplotlib.rcParams) == before


def test_formats(tmp_path: Path) -> None:
    picture = draw_kernels(small_plan())
    for name, start in (("a.png", PNG), ("b.PNG", PNG), ("c.svg", b"<?xml")):
        picture.save(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    picture.save(str(tmp_path / "d.png"))
    assert picture._repr_png_() == picture.png_bytes() == (tmp_path / "d.png").read_bytes()
    for name in ("plan.pdf", "plan", "plan.png.txt"):
        with pytest.raises(UserError, match=f"cannot draw '{name}': pictures are written as .png or .svg"):
            picture.save(name)
    with pytest.raises(UserError, match=r"cannot write .*No such file"):
        picture.save(tmp_path / "missing" / "plan.png")


def test_names_groups_and_numbers_are_written() -> None:
    plan = small_plan()
    kernels = draw_kernels(plan).svg_bytes().decode()
    for text in ("small", "embed", "h.0.fc", "linear", "60", "46.9 %", "unused", "blocked", "x (cores)"):
        assert f"<!-- {text} -->" in kernels, text
    field = draw_field(plan, plan.fields[0], value_labels=True).svg_bytes().decode()
    for text in ("small: SRAM per core", "KiB", "no value", "blocked", "0.466"):
        assert f"<!-- {text} -->" in field, text
    assert "max 43.3 KiB" in field


def test_plans_at_the_edge() -> None:
    strange = "$x_{$ <&> 模\n\0" + "long" * 100
    plans = [
        Floorplan("", 1, 1),
        Floorplan("one", 1, 1, (Region("only", 0, 0, 1, 1, "g"),)),
        Floorplan("dead", 2, 2, blocked=((0, 0), (0, 1), (1, 0), (1, 1))),
        Floorplan(strange, 30, 20, (Region(strange, 0, 0, 30, 10, strange), Region("", 0, 10, 9, 9, ""))),
        Floorplan("many", 64, 9, tuple(Region(f"k{x}", x, 0, 1, 9, f"group {x}") for x in range(40))),
    ]
    for plan in plans:
        nothing = Field(plan.title, plan.title, np.full((plan.height, plan.width), NAN))
        for picture in (draw_kernels(plan), draw_field(plan, nothing, value_labels=True)):
            assert picture.png_bytes().startswith(PNG)
            assert plan.title != strange or b"<svg" in picture.svg_bytes()


def test_a_field_of_another_fabric_is_refused() -> None:
    with pytest.raises(ValueError, match=r"field 'f' is \[2, 2\]"):
        draw_field(small_plan(), Field("f", "", np.zeros((2, 2))))


def test_a_whole_wafer_takes_seconds() -> None:
    start = time.process_time()
    plan = random_plan(994, 750, 100)
    assert draw_kernels(plan).png_bytes().startswith(PNG)
    assert draw_field(plan, plan.fields[0]).png_bytes().startswith(PNG)
    assert time.process_time() - start < 15  # about 3 on a desk


def test_importing_reports_loads_no_matplotlib() -> None:
    code = (
        "import sys, wsc.reports.heatmap, wsc.reports.terminal, wsc.reports.tables;"
        "assert not any(name.startswith(('matplotlib', 'torch', 'PIL')) for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawing_leaves_pyplot_alone() -> None:
    code = (
        "import sys; from wsc.simulation.floorplan import Floorplan; from wsc.reports.heatmap import draw_kernels;"
        "draw_kernels(Floorplan('p', 2, 2)).png_bytes(); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
