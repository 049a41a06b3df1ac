import os
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from rich.console import Console, RenderableType
from rich.panel import Panel

from tests.reports.samples import random_plan, small_plan
from wsc.reports.terminal import terminal_field, terminal_floorplan
from wsc.simulation.floorplan import Field, Floorplan, Region

GOLDEN = Path(__file__).parent / "golden"


def written(picture: RenderableType, width: int = 100, colour: bool = False, encoding: str = "utf-8") -> str:
    file = TextIOWrapper(BytesIO(), encoding=encoding, write_through=True)
    system: Literal["truecolor"] | None = "truecolor" if colour else None
    Console(file=file, width=width, force_terminal=colour, color_system=system, legacy_windows=False).print(
        picture
    )
    file.seek(0)
    return file.read().replace("\x1b", "ESC")


@pytest.mark.parametrize("colour", [False, True])
def test_golden(colour: bool) -> None:
    plan = small_plan()
    pictures = [terminal_floorplan(plan), terminal_field(plan, plan.fields[0]), terminal_floorplan(plan, 8)]
    text = "\n".join(written(picture, colour=colour) for picture in pictures)
    path = GOLDEN / f"terminal_{'colour' if colour else 'plain'}.txt"
    if os.environ.get("WSC_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), (
        "if meant, run with WSC_UPDATE_GOLDEN=1 and read the diff"
    )


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("columns", [1, 7, 40, 80])
def test_no_line_is_wider_than_asked(columns: int, colour: bool) -> None:
    plan = random_plan(994, 750, 30)
    for picture in (terminal_floorplan(plan, columns), terminal_field(plan, plan.fields[0], columns)):
        for console_width in (30, 100):
            console = Console(width=console_width, color_system="truecolor" if colour else None)
            lines = console.render_lines(picture, pad=False)
            assert max(sum(segment.cell_length for segment in line) for line in lines) <= min(
                columns, console_width
            )


def test_no_colour_means_no_escapes() -> None:
    plan = small_plan()
    file = StringIO()
    console = Console(file=file, force_terminal=True, color_system="truecolor", no_color=True)
    console.print(terminal_field(plan, plan.fields[0]))
    assert "▓" in file.getvalue()
    assert "38;2" not in file.getvalue()


def test_ascii_alone() -> None:
    plan = small_plan()
    for picture in (
        terminal_floorplan(plan),
        terminal_field(plan, plan.fields[0]),
        terminal_floorplan(plan, 5),
    ):
        assert written(picture, encoding="ascii").isascii()


def test_the_majority_and_the_mean_win() -> None:
    plan = Floorplan("p", 100, 20, (Region("a", 0, 0, 26, 20, "x"), Region("b", 26, 0, 74, 20, "y")))
    assert written(terminal_floorplan(plan, 10)).splitlines()[1] == "aaabbbbbbb"
    values = np.zeros((20, 100))
    values[:, 50:] = 1
    values[::2, :50] = np.nan
    assert written(terminal_field(plan, Field("f", "", values), 10)).splitlines()[1] == "░░░░░█████"


def test_plans_at_the_edge() -> None:
    one = Floorplan("[bold]one", 1, 1, (Region("r", 0, 0, 1, 1, "[red]g"),))
    assert written(terminal_floorplan(one)).splitlines()[:2] == ["[bold]one", "aa"]
    nothing = Field("nothing", "s", np.full((1, 1), np.nan))
    assert written(terminal_field(one, nothing)).splitlines()[-1] == "0 s ░▒▓█ 1 s   mean of nothing"
    assert written(terminal_floorplan(Floorplan("odd", 3, 3)), colour=True).count("·") == 3 * 6 + 1
    with pytest.raises(ValueError, match="the fabric"):
        terminal_field(one, Field("f", "", np.zeros((2, 2))))


def test_a_picture_fits_into_a_panel() -> None:
    text = written(Panel(terminal_floorplan(small_plan()), expand=False), width=60)
    assert {len(line) for line in text.splitlines()} == {60}
