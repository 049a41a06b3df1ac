"""Why a model does not fit: what each part needs, by how much it is too much, the same in words and as JSON."""

import json
from pathlib import Path

import pytest

from tests.cli.shell import wsc
from wsc.backends.registry import select


def ways(*arguments: str) -> list[dict[str, object]]:
    ran = wsc("explain", "--why-not", "mlp.py", *arguments, "--json")
    assert ran.code == 0
    found: list[dict[str, object]] = json.loads(ran.out)["ways"]
    return found


def test_a_kernel_too_large_says_by_how_much(folder: Path) -> None:
    (pipeline, *_) = ways("-t", "wafer-4x4", "-D", "width=1024")
    parts = {part["name"]: part for part in pipeline["parts"]}  # type: ignore[attr-defined]
    assert not pipeline["fits"]
    room = select("wafer-4x4").machine.core.sram_bytes
    for part in parts.values():
        assert part["limit_bytes"] == room
        assert part["over_bytes"] == max(0, sum(part["bytes"].values()) - room)
        assert set(part["bytes"]) == {"weights", "buffers", "code"}
    assert any(part["over_bytes"] for part in parts.values())
    assert sum(part["units"] for part in parts.values()) == pipeline["needed_units"]


def test_too_few_cores_are_counted(folder: Path) -> None:
    (pipeline, *_) = ways("-t", "wafer-4x4", "-D", "depth=20")
    assert pipeline["missing_units"] == 4
    assert not any(part["over_bytes"] for part in pipeline["parts"])  # type: ignore[attr-defined]


def test_what_fits_is_said_to_fit(folder: Path) -> None:
    assert all(way["fits"] for way in ways("-t", "wafer-8x8"))


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        ("wafer-4x4", ("-D", "width=1024"), "exceed the 48.0 KiB of a core"),
        ("hermes", ("-D", "width=4096"), "too few; it does not fit"),
        ("h100x8", (), "it fits"),
    ],
)
def test_it_reads_as_a_sentence_and_a_table(
    folder: Path, target: str, options: tuple[str, ...], said: str
) -> None:
    ran = wsc("explain", "--why-not", "mlp.py", "-t", target, *options)
    assert ran.code == 0
    assert said in " ".join(ran.out.split())
    assert "times" in ran.out


def test_a_target_may_say_nothing(folder: Path) -> None:
    ran = wsc("explain", "--why-not", "mlp.py", "-t", "null")
    assert ran.code == 0
    assert "does not say" in ran.out
