"""`wsc compare`: several machines in processes of their own."""

import json
from pathlib import Path

from tests.cli.shell import wsc, wsc_well


def test_machines_that_can_and_one_that_cannot(folder: Path) -> None:
    Path("wide.py").write_text(Path("mlp.py").read_text().replace("width=8", "width=512"))
    ran = wsc_well("compare", "wide.py", "--targets", "wafer-16x16,wafer-4x4,null", "--json")
    rows = {row["machine"]: row for row in ran.json["machines"]}
    assert list(rows) == ["wafer-16x16", "wafer-4x4", "null"]
    assert "does not fit wafer-4x4" in rows["wafer-4x4"]["error"]
    assert rows["wafer-16x16"]["error"] is rows["null"]["error"] is None
    compiled = wsc_well("compile", "wide.py", "--target", "wafer-16x16", "--json").json
    assert rows["wafer-16x16"]["interval_cycles"] == compiled["interval_cycles"]
    assert rows["wafer-16x16"]["latency_cycles"] == compiled["latency_cycles"]
    made = folder / "comparison" / "wide"
    assert json.loads((made / "comparison.json").read_text()) == ran.json["machines"]
    assert {path.name for path in made.iterdir()} == {
        f"comparison.{kind}" for kind in ("json", "csv", "md", "html")
    }


def test_the_table_names_machines_and_where_it_wrote(folder: Path) -> None:
    ran = wsc_well("compare", "mlp.py", "-t", "wafer-4x4, null", "-o", "there")
    assert "wafer-4x4" in ran.out
    assert "wrote comparison.json, .csv, .md and .html to there" in ran.out


def test_a_machine_that_there_is_not_is_an_error_before_any_work(folder: Path) -> None:
    ran = wsc("compare", "mlp.py", "--targets", "wafer-4x4,wse9")
    assert (ran.code, ran.out) == (2, "")
    assert "There is no target 'wse9'." in ran.err
    assert not Path("comparison").exists()


def test_no_machine_at_all_is_an_error(folder: Path) -> None:
    ran = wsc("compare", "mlp.py", "--targets", " , ")
    assert ran.code == 2
    assert "--targets takes machines separated by commas" in ran.err
