from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from wsc.backends.null.target import NullTarget
from wsc.backends.registry import (
    GROUP,
    by_name,
    load_entry_points,
    machine_names,
    names_of_machines,
    select,
    targets,
)
from wsc.compiler.errors import InternalError, MachineError, UnknownTarget, UserError


class Other(NullTarget):
    name = "other"


def point(value: str) -> EntryPoint:
    return EntryPoint("mine", value, GROUP)


def test_folders_are_found() -> None:
    folders = {path.parent.name for path in (Path(__file__).parents[2] / "backends").glob("*/target.py")}
    assert set(targets()) == folders
    assert set(machine_names().values()) == folders


def test_an_entry_point_is_loaded() -> None:
    (found,) = load_entry_points([point("wsc.backends.null.target:TARGET")])
    assert found is targets()["null"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "wsc_no_such_package:TARGET",
            "cannot be loaded: ModuleNotFoundError: No module named 'wsc_no_such_package'",
        ),
        ("wsc.backends.null.target:NOTHING", "cannot be loaded: AttributeError"),
        ("wsc.backends.null.target:NullTarget", "is no wsc.backends.target.Target, but ABCMeta"),
    ],
)
def test_an_installed_package_that_is_broken_is_named(value: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_entry_points([point(value)])
    assert f"The target 'mine' of the installed package at {value} {said}" in str(caught.value)


def test_two_targets_of_one_name_clash() -> None:
    assert list(by_name([NullTarget(), Other()])) == ["null", "other"]
    with pytest.raises(InternalError, match=r"Two targets are called 'null': .*null.target.NullTarget and "):
        by_name([NullTarget(), NullTarget()])


def test_two_machines_of_one_name_clash() -> None:
    with pytest.raises(InternalError, match="Targets 'null' and 'other' both have a machine 'null'"):
        names_of_machines([NullTarget(), Other()])


def test_a_machine_by_name() -> None:
    selection = select("wafer-8x8")
    assert (selection.target.name, selection.machine.name) == ("wafer", "wafer-8x8")
    assert selection.text == selection.target.machines()["wafer-8x8"].read_text()


def test_a_machine_by_file(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(select("null").text)
    assert select(str(path)).machine.name == "tiny"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("wse-2", "wse2"), ("WSE3", "wse3"), ("wafer-8", "wafer-8x8"), ("nul", "null"), ("zzzz", None)],
)
def test_an_unknown_target_names_the_nearest_and_all(name: str, nearest: str | None) -> None:
    with pytest.raises(UnknownTarget) as caught:
        select(name)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    assert f"There is no target '{name}'.{hint} Known targets: {', '.join(machine_names())};" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("", UnknownTarget, "does not say for which target it is. It must say"),
        ('target = "wafr"', UnknownTarget, "is for an unknown target, 'wafr'. Did you mean 'wafer'?"),
        ("target = [1]", UnknownTarget, "is for an unknown target, [1]."),
        ("target = ", MachineError, "Cannot read the machine file"),
        ('target = "null"', MachineError, "unit: Field required"),
    ],
)
def test_a_machine_file_that_is_wrong(tmp_path: Path, text: str, error: type[Exception], said: str) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(text)
    with pytest.raises(error) as caught:
        select(str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_machine_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        MachineError, match=r"Cannot read the machine file .*no\.toml: No such file or directory\."
    ):
        select(str(tmp_path / "no.toml"))
