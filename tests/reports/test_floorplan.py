import numpy as np
import pytest

from wsc.simulation.floorplan import BLOCKED, UNUSED, Field, Floorplan, Region, paint


def test_owners_count_what_is_drawn() -> None:
    below, above = Region("a", 0, 0, 3, 2, "linear"), Region("b", 2, 0, 2, 1, "norm")
    plan = Floorplan("plan", 4, 3, (below, above), blocked=((0, 0), (3, 2)))
    expected = [[BLOCKED, 0, 1, 1], [0, 0, 0, UNUSED], [UNUSED, UNUSED, UNUSED, BLOCKED]]
    assert plan.owners.tolist() == expected
    assert [(share.group, share.cores) for share in plan.shares] == [("linear", 4), ("norm", 2)]
    assert (plan.unused.cores, plan.dead.cores) == (4, 2)
    assert sum(share.share for share in (*plan.shares, plan.unused, plan.dead)) == pytest.approx(1)


def test_kernels_of_one_group_take_turns() -> None:
    groups = ("linear", "norm", "linear", "norm", "linear")
    plan = Floorplan("plan", 5, 1, tuple(Region(str(x), x, 0, 1, 1, group) for x, group in enumerate(groups)))
    assert plan.groups == ("linear", "norm")
    assert plan.turns.tolist() == [[0, 0, 1, 1, 0]]


def test_a_field_is_a_frozen_copy() -> None:
    values = np.zeros((2, 3))
    field = Field("use", "", values)
    values[0, 0] = 1
    assert field.values[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        field.values[0, 0] = 2


@pytest.mark.parametrize(
    ("values", "low", "high", "scale"),
    [
        ([[1, 5]], None, None, (1, 5)),
        ([[1, 5]], 0, 4, (0, 4)),
        ([[3, 3]], None, None, (3, 6)),
        ([[0, 0]], None, None, (0, 1)),
        ([[-2, -2]], None, None, (-2, 0)),
        ([[float("nan")]], None, None, (0, 1)),
        ([[5, 6]], None, 4, (0, 4)),
        ([[5, 6]], 7, None, (7, 14)),
        ([[5, 6]], 0, 0, (0, 1)),
    ],
)
def test_a_scale_always_has_room(
    values: list[list[float]], low: float | None, high: float | None, scale: tuple[float, float]
) -> None:
    assert Field("f", "", np.array(values), low, high).scale == scale


def test_paint() -> None:
    values = paint(3, 2, [(Region("a", 0, 0, 2, 2, "g"), 4.0), (Region("b", 1, 1, 1, 1, "g"), 5.0)])
    np.testing.assert_equal(values, [[4, 4, np.nan], [4, 5, np.nan]])


def test_fields_are_found_by_title() -> None:
    use = Field("use", "", np.zeros((2, 2)))
    plan = Floorplan("plan", 2, 2, fields=(use,))
    assert plan.field("use") is use
    with pytest.raises(KeyError, match="memory"):
        plan.field("memory")


@pytest.mark.parametrize(
    ("x", "y", "width", "height"), [(-1, 0, 1, 1), (0, -1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0)]
)
def test_a_region_without_cores(x: int, y: int, width: int, height: int) -> None:
    with pytest.raises(ValueError, match="region 'a' is no rectangle of cores"):
        Region("a", x, y, width, height, "g")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"width": 0}, "a fabric of 0 x 4 cores"),
        ({"regions": (Region("a", 3, 0, 2, 1, "g"),)}, "region 'a' leaves the fabric of 4 x 4 cores"),
        ({"regions": (Region("a", 0, 4, 1, 1, "g"),)}, "region 'a' leaves the fabric"),
        ({"blocked": ((4, 0),)}, r"blocked cores outside the fabric: \[\(4, 0\)\]"),
        ({"fields": (Field("f", "", np.zeros((4, 5))),)}, r"field 'f' is \[4, 5\], the fabric \[4, 4\]"),
        ({"fields": (Field("f", "", np.zeros((4, 4))),) * 2}, "two fields have one title"),
    ],
)
def test_a_plan_that_does_not_fit(parts: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Floorplan(**{"title": "plan", "width": 4, "height": 4, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "low", "high", "message"),
    [
        (np.zeros(3), None, None, r"must be \[height, width\]"),
        (np.zeros((0, 3)), None, None, r"must be \[height, width\]"),
        (np.full((1, 1), np.inf), None, None, "infinite"),
        (np.zeros((1, 1)), 2.0, 1.0, "no scale from 2.0 to 1.0"),
        (np.zeros((1, 1)), float("nan"), 1.0, "no scale"),
    ],
)
def test_a_field_that_cannot_be_drawn(values: np.ndarray, low: float, high: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Field("f", "", values, low, high)
