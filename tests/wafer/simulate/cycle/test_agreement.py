"""Both simulators agree within 5 %, and the data that moves is that of `execute`."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

import wsc.backends.wafer
from tests.wafer import models
from tests.wafer.compiling import compile_for, machine, random_inputs
from tests.wafer.simulate.cycle.programs import AGREE, check, moving
from tests.wafer.simulate.programs import wafer
from wsc.backends.wafer.algorithms import Product, broadcast_program, matmul_program, reduce_program
from wsc.backends.wafer.algorithms.catalog import ENTRIES, Sizes
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import simulate_cycles
from wsc.backends.wafer.trees import GROUPED, REDUCTIONS
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.types import DType
from wsc.compiler.machine import read_machine

FABRIC = wafer("wafer-32x32")
WSE3 = read_machine(Path(wsc.backends.wafer.__file__).parent / "machines" / "wse3.toml", Wafer)
everyday = settings(max_examples=8, deadline=None, derandomize=True, database=None)
thorough = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def apart(*case: object, reason: str) -> object:
    """A case in which the two levels are known to be further apart than they should be."""
    return pytest.param(*case, marks=pytest.mark.xfail(reason=reason, strict=False))


def product(algorithm: str, parts: int, tiles: tuple[int, int, int], dtype: DType) -> None:
    m, k, n = (parts * tile for tile in tiles)
    machine = WSE3 if dtype is DType.F16 else FABRIC
    check(matmul_program(algorithm, Product(m, k, n, parts, dtype), machine), machine, exact=False)


small_tiles = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
dtypes = st.sampled_from([DType.F32, DType.F16])


@pytest.mark.parametrize("algorithm", ["summa", "cannon", "meshgemm"])
@everyday
@given(st.integers(2, 5), small_tiles, dtypes)
def test_small_products(algorithm: str, parts: int, tiles: tuple[int, int, int], dtype: DType) -> None:
    product(algorithm, parts, tiles, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["summa", "cannon", "meshgemm"])
@pytest.mark.parametrize("parts", [7, 12, 16, 32])
def test_products(algorithm: str, parts: int) -> None:
    product(algorithm, parts, (3, 4, 5), DType.F16)
    product(algorithm, parts, (4, 2, 3), DType.F32)


def reduce(algorithm: str, words: int, parts: int, group: int, fn: str) -> None:
    size = group if algorithm in GROUPED else None
    check(reduce_program(algorithm, words, parts, FABRIC, size, fn), FABRIC)


@pytest.mark.parametrize("algorithm", REDUCTIONS)
@everyday
@given(st.integers(1, 100), st.integers(2, 12), st.integers(2, 6), st.sampled_from(["sum", "max", "min"]))
def test_short_reduces(algorithm: str, words: int, parts: int, group: int, fn: str) -> None:
    reduce(algorithm, words, parts, group, fn)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", REDUCTIONS)
@thorough
@given(st.integers(1, 600), st.integers(2, 32), st.integers(2, 12))
def test_reduces(algorithm: str, words: int, parts: int, group: int) -> None:
    reduce(algorithm, words, parts, group, "sum")


ROOTED = st.tuples(st.sampled_from(REDUCTIONS), st.integers(2, 32), st.integers(2, 12), st.floats(0, 0.99))


@pytest.mark.slow
@thorough
@given(ROOTED, st.integers(4, 600))
def test_all_reduces_towards_any_part(tree: tuple[str, int, int, float], words: int) -> None:
    algorithm, parts, group, where = tree
    size = f", group={group}" if algorithm in GROUPED else ""
    move = f"all_reduce(axis='a', fn='sum', algorithm='{algorithm}'{size}, root={int(where * parts)})"
    check(moving(f"a={parts}x", [move], [f"f32[{words}]"] * 2, ["[.] partial a", "[.]"]), FABRIC)


@everyday
@given(st.integers(1, 300), st.integers(2, 32))
def test_broadcasts(words: int, parts: int) -> None:
    check(broadcast_program(words, parts, FABRIC), FABRIC)


# a movement of W words a part over P parts: its text, types before and after, layouts before and after
MOVES = {
    "multicast": ("multicast(axes=('a',))", "f32[{w}]", "f32[{w}]", "[.] at a", "[.]"),
    "chain": ("reduce_to(axis='a', fn='sum')", "f32[{w}]", "f32[{w}]", "[.] partial a", "[.] at a"),
    "all_reduce": ("all_reduce(axis='a', fn='max')", "f32[{w}]", "f32[{w}]", "[.] partial a", "[.]"),
    "reduce_scatter": (
        "reduce_scatter(axis='a', dim=0, fn='sum')", "f32[{n}]", "f32[{n}]", "[.] partial a", "[a:{w}]",
    ),
    "shift": ("shift(axis='a', by=1)", "f32[{n}]", "f32[{n}]", "[a:{w}]", "[a:{w}]"),
    "ring": ("shift(axis='a', by=-1, ring='interleaved')", "f32[{n}]", "f32[{n}]", "[a:{w}]", "[a:{w}]"),
    "halo": (
        "halo(dim=0, axis='a', lo=1, hi=1, fill=0.0)", "f32[{p4},{w}]", "f32[{p4},{w}]", "[a:4,.]", "[a:4~1+1,.]",
    ),
}  # fmt: skip


def movement(kind: str, parts: int, words: int) -> Program:
    move, *rest = MOVES[kind]
    before, after, at, to = (text.format(w=words, n=parts * words, p=parts, p4=4 * parts) for text in rest)
    return moving(f"a={parts}x", [move], [before, after], [at, to])


@pytest.mark.parametrize("kind", MOVES)
@everyday
@given(st.integers(2, 9), st.integers(8, 100))
def test_movements(kind: str, parts: int, words: int) -> None:
    check(movement(kind, parts, words), FABRIC)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MOVES)
@thorough
@given(st.integers(2, 32), st.integers(8, 300))
def test_long_movements(kind: str, parts: int, words: int) -> None:
    check(movement(kind, parts, words), FABRIC)


@pytest.mark.slow
@thorough
@given(st.integers(2, 32), st.integers(1, 200))
def test_reduce_scatters_over_more_parts_than_pieces(parts: int, rows: int) -> None:
    tile = -(-rows // parts)
    kinds, layouts = [f"f32[{rows},3]"] * 2, ["[.,.] partial a", f"[a:{tile},.]"]
    check(moving(f"a={parts}x", ["reduce_scatter(axis='a', dim=0, fn='sum')"], kinds, layouts), FABRIC)


@pytest.mark.slow
@thorough
@given(st.integers(2, 32), st.integers(1, 5), st.integers(1, 8))
def test_all_to_alls(parts: int, rows: int, columns: int) -> None:
    kind = f"f32[{parts * rows},{parts * columns}]"
    layouts = [f"[a:{rows},.]", f"[.,a:{columns}]"]
    check(moving(f"a={parts}x", ["all_to_all(axis='a', split=1, join=0)"], [kind] * 2, layouts), FABRIC)


@pytest.mark.slow
@thorough
@given(st.integers(3, 32), st.integers(4, 20), st.integers(1, 8))
def test_all_gathers(parts: int, rows: int, columns: int) -> None:
    kind = f"f32[{parts * rows},{columns}]"
    check(
        moving(f"a={parts}x", ["all_gather(axis='a', dim=0)"], [kind] * 2, [f"[a:{rows},.]", "[.,.]"]), FABRIC
    )


halos = st.tuples(
    st.integers(2, 16),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(["f32", "f16"]),
    st.integers(0, 1),
)


@pytest.mark.slow
@thorough
@given(st.integers(2, 32), st.integers(1, 60), halos, st.integers(0, 1))
def test_halos(parts: int, words: int, halo: tuple[int, int, int, str, int], missing: int) -> None:
    rows, lo, hi, kind, dim = halo
    extents, tiles, grown = [words, words], [".", "."], [".", "."]
    extents[dim] = rows * parts - missing
    tiles[dim], grown[dim] = f"a:{rows}", f"a:{rows}~{lo}+{hi}"
    types, layouts = (
        [f"{kind}[{extents[0]},{extents[1]}]"] * 2,
        [f"[{','.join(cut)}]" for cut in (tiles, grown)],
    )
    move = f"halo(dim={dim}, axis='a', lo={lo}, hi={hi}, fill=0.0)"
    check(moving(f"a={parts}x", [move], types, layouts), FABRIC)


@everyday
@given(st.integers(2, 5), st.integers(1, 30))
def test_movements_one_after_another(parts: int, words: int) -> None:
    """A multicast, a shift, a sum over all: each part begins as soon as it has its own tile."""
    moves = ["multicast(axes=('a',))", "shift(axis='a', by=1)", "all_reduce(axis='a', fn='sum')"]
    layouts = ["[.] at a", "[.]", "[.]", "[.]"]
    check(moving(f"a={parts}x", moves, [f"f32[{words}]"] * 4, layouts), FABRIC)


RAGGED = [
    ("all_to_all(axis='a', split=1, join=0)", "f32[7,5]", "f32[7,5]", "[a:3,.]", "[.,a:2]"),
    ("reduce_scatter(axis='a', dim=1, fn='sum')", "f16[3,7]", "f16[3,7]", "[.,.] partial a", "[.,a:3]"),
    ("halo(dim=1, axis='a', lo=2, hi=1, fill=-1.0)", "f16[3,7]", "f16[3,7]", "[.,a:3]", "[.,a:3~2+1]"),
    ("all_gather(axis='a', dim=0)", "f16[7,3]", "f16[7,3]", "[a:3,.]", "[.,.]"),
    ("keep(axis='a', dim=1)", "f16[3,7]", "f16[3,7]", "[.,.]", "[.,a:3]"),
    ("shift(axis='a', by=2)", "i16[7]", "i16[7]", "[a:3]", "[a:3]"),
    ("all_reduce(axis='a', fn='min', algorithm='tree', root=1)", "i32[5]", "i32[5]", "[.] partial a", "[.]"),
]


@pytest.mark.parametrize("case", RAGGED, ids=lambda case: case[0].partition("(")[0])
def test_ragged_tiles_of_narrow_elements(case: tuple[str, str, str, str, str]) -> None:
    """The data alone: tiles that do not fill their words, and what lies past the end of the tensor."""
    move, before, after, at, to = case
    check(moving("a=3x", [move], [before, after], [at, to]), FABRIC, agree=0.5)


# by name, what the cycle-level simulator carries out of the catalogue (`wsc algorithm`)
CATALOGUE = [
    "product", "summa", "cannon", "meshgemm", "stationary", "k-split", "gemv", "reduce", "all-reduce", "broadcast",
    "all-to-all", "halo", "softmax", "layer-norm", "rms-norm", "convolution",
]  # fmt: skip
whole = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
@settings(thorough, max_examples=10)
@given(st.sampled_from([2, 4, 8, 12, 16]), whole, dtypes)
def test_algorithms_of_the_catalogue(
    name: str, side: int, tiles: tuple[int, int, int, int], dtype: DType
) -> None:
    entry, (m, k, n, ragged) = ENTRIES[name], tiles
    sizes = Sizes(
        m=side * m + ragged, k=side * k, n=side * n, taps=3, columns=side, rows=side, groups=2, dtype=dtype
    )
    taken = {"columns", "dtype", *entry.needs, *entry.takes, *([] if entry.line else ["rows"])}
    dropped = {field.name: field.default for field in fields(Sizes) if field.name not in taken}
    try:
        program = entry.program(replace(sizes, **dropped), FABRIC)
    except DoesNotFit:
        reject()
    check(program, FABRIC, exact=False)


@pytest.mark.parametrize("model", [models.mlp, models.attention_block], ids=lambda m: m.__name__)
def test_pipelines(model: object) -> None:
    found = compile_for("wafer-8x8", model())  # type: ignore[operator]
    cycle = simulate_cycles(
        found.program,
        machine("wafer-8x8"),
        found.model.weights,
        random_inputs(found.given),
        most_cycles=10**6,
    )
    fast = simulate(found.program, machine("wafer-8x8")).latency_cycles
    assert abs(fast / cycle.latency - 1) <= AGREE
    assert cycle.colors <= machine("wafer-8x8").fabric.colors


def test_too_few_colours_are_named() -> None:
    poor = wafer("wafer-32x32", colors=1)
    with pytest.raises(DoesNotFit) as caught:
        check(matmul_program("cannon", Product(8, 8, 8, 4, DType.F32), poor), poor)
    assert str(caught.value) == (
        "the program takes 4 colours where its routes meet, and the machine has 1: kernel 'cannon' alone takes 4; a cut"
        " over fewer axes, or fewer streams through the region, takes fewer"
    )
