"""Every algorithm by name: it is right in single and half precision, its text is golden, and it says what it needs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.golden import check
from tests.wafer.algorithms.machines import machine
from tests.wafer.algorithms.running import run
from wsc.backends.wafer.algorithms.catalog import ENTRIES, Sizes, example, find_entry
from wsc.backends.wafer.defects import Defects
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.text import parse_program, print_program
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.ir.types import DType

GOLDEN = Path(__file__).parent / "golden"
SIZES = Sizes(m=5, k=6, n=7, heads=2, taps=3, columns=4, rows=2, groups=2)
LAYOUTS = {"shape": (5, 6), "source": "[i:3,j:2]", "target": "[j:2,i:3]"}


def asked(name: str, **changes: Any) -> Sizes:
    """Small sizes, those that the algorithm takes."""
    entry = find_entry(name)
    taken = {"columns", *entry.needs, *entry.takes, *([] if entry.line else ["rows"])}
    given = {field: getattr(SIZES, field) for field in taken if getattr(SIZES, field) is not None}
    return Sizes(**{**given, **(LAYOUTS if name == "relayout" else {}), **changes})


@pytest.mark.parametrize("dtype", [DType.F32, DType.F16])
@pytest.mark.parametrize("name", ENTRIES)
def test_it_computes_what_it_promises(name: str, dtype: DType) -> None:
    """The error of half precision is stated: a fiftieth of the largest number at most, of a few roundings of 2**-11."""
    entry, sizes = ENTRIES[name], asked(name, dtype=dtype)
    program = entry.program(sizes, machine("wse2"))
    given = example(program)
    double = {key: a.astype(np.float64) if a.dtype.kind == "f" else a for key, a in given.items()}
    found = run(program, given)
    for key, exact in entry.reference(sizes, double).items():
        tolerance = 1e-4 if found[key].dtype == np.float32 else 0.02
        assert np.abs(found[key].astype(np.float64) - exact).max() <= tolerance * np.abs(exact).max()
    assert simulate(program, machine("wse2")).latency_cycles > 0


@pytest.mark.parametrize("name", [name for name in ENTRIES if name not in ("product", "product-t")])
def test_the_text_of_a_small_one(name: str) -> None:
    program = ENTRIES[name].program(asked(name), machine("wafer-4x4"))
    check(str(GOLDEN / f"catalog-{name}.txt"), print_program(program))
    assert parse_program(print_program(program)) == program


def test_a_product_is_chosen_by_modelled_cycles() -> None:
    wafer = machine("wse2")
    cycles = {
        name: simulate(ENTRIES[name].program(asked(name), wafer), wafer).latency_cycles
        for name in ("product", "summa", "cannon", "meshgemm", "stationary")
    }
    assert cycles["product"] == min(cycles.values())


def test_the_longest_context_of_a_cache() -> None:
    wafer, entry = machine("wafer-4x4"), ENTRIES["decode-attention"]
    sizes = asked("decode-attention", rows=4, heads=4, k=32)
    longest = entry.longest_context(sizes, wafer)
    plain = entry.longest_context(replace(sizes, plain=True), wafer)
    assert longest is not None
    assert plain == longest // 4
    entry.program(replace(sizes, n=longest), wafer)
    with pytest.raises(DoesNotFit):
        entry.program(replace(sizes, n=longest + 4), wafer)
    assert ENTRIES["softmax"].longest_context(asked("softmax"), wafer) is None


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("summa", {"m": None, "columns": None}, "'summa' needs --parts, --m"),
    ("summa", {"heads": 2}, "'summa' takes no --heads"),
    ("broadcast", {"rows": 2}, "'broadcast' works along one line of cores: --parts P, not 4x2"),
    ("attention", {"groups": 3}, "4 columns of cores do not make --groups 3"),
    ("relayout", {"source": "i:3"}, "--from and --to are layouts such as [i:16,j:16]: not a layout: 'i:3'"),
    (
        "relayout",
        {"target": "[i:3,j:2]"},
        "layouts [i:3,j:2] and [i:3,j:2] are the same: there is nothing to move",
    ),
    (
        "reduce",
        {"reduce": "ring"},
        "no reduction is called 'ring'; there are chain, two-phase, k-tree, tree, star",
    ),
    (
        "attention",
        {"inner": "meshgemm"},
        "attention's scores are made by summa-t, meshgemm-t, not by 'meshgemm'",
    ),
]


@pytest.mark.parametrize(("name", "changes", "message"), REFUSED)
def test_what_cannot_be_is_refused(name: str, changes: dict[str, Any], message: str) -> None:
    sizes = asked(name, **changes)
    with pytest.raises(AlgorithmError) as caught:
        ENTRIES[name].program(sizes, machine("wafer-4x4"))
    assert str(caught.value) == message


def test_sizes_are_one_or_more() -> None:
    with pytest.raises(AlgorithmError) as caught:
        Sizes(m=0)
    assert str(caught.value) == "--m is 1 or more, not 0"
    with pytest.raises(AlgorithmError) as caught:
        find_entry("strassen")
    assert str(caught.value).startswith(
        "no algorithm is called 'strassen'; there are product, product-t, summa, "
    )


def test_more_cores_than_there_are_do_not_fit() -> None:
    with pytest.raises(DoesNotFit) as caught:
        ENTRIES["softmax"].program(asked("softmax", columns=9), machine("wafer-4x4"))
    assert str(caught.value) == "'softmax' takes 9 x 2 cores, 'wafer-4x4' has 4 x 4"


def test_dead_cores_are_kept_out_of() -> None:
    whole = machine("wafer-4x4")
    dead = whole.model_copy(
        update={
            "defects": Defects.model_construct(
                dead_cores=((1, 0),), dead_links=(), core_yield=None, seed=None
            )
        }
    )
    sizes = asked("softmax", columns=3)
    program = ENTRIES["softmax"].program(sizes, dead)
    assert (program.kernels[0].x, program.kernels[0].y) == (0, 1)
    given = example(program)
    np.testing.assert_allclose(
        run(program, given)["y"], ENTRIES["softmax"].reference(sizes, given)["y"], rtol=1e-4
    )
    assert simulate(program, dead).latency_cycles > 0
    with pytest.raises(DoesNotFit) as caught:
        ENTRIES["softmax"].program(asked("softmax", rows=4), dead)
    assert str(caught.value) == (
        "'softmax' takes 4 x 4 cores, 'wafer-4x4' has no such rectangle without dead ones"
    )
