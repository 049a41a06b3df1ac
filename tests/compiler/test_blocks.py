"""Repeats are disjoint, true, and as many as there are."""

from collections.abc import Iterator, Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.graphs import transformer
from wsc.compiler.blocks import Repeat, find_repeats, structural_hash

LAYER = "nqkvasonmgmr"  # norms, projections, attention, ...: some entries occur twice in it


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("abc", ()),
        ("aa", (Repeat(0, 1, 2),)),
        ("xaaay", (Repeat(1, 1, 3),)),
        ("ababab", (Repeat(0, 2, 3),)),
        ("ab" + "abc" * 3, (Repeat(2, 3, 3),)),
        ("ab" + LAYER * 12 + "nh", (Repeat(2, 12, 12),)),
        (LAYER * 12, (Repeat(0, 12, 12),)),
        ("e" + "abcd" * 6 + "f" + "wxyz" * 6, (Repeat(1, 4, 6), Repeat(26, 4, 6))),
        ("aaaa" + "ab" * 3, (Repeat(0, 1, 4), Repeat(4, 2, 3))),
    ],
)
def test_repeats_a_person_sees(text: str, expected: tuple[Repeat, ...]) -> None:
    assert find_repeats(text) == expected


def test_signatures_may_be_anything_hashable() -> None:
    assert find_repeats([(1, "a"), None, (1, "a"), None, 3.0]) == (Repeat(0, 2, 2),)


def test_thousands_of_entries_take_moments() -> None:
    layer = list(range(90))
    assert find_repeats([-1, *layer * 88, -2]) == (Repeat(1, 90, 88),)
    assert find_repeats([0] * 8000) == (Repeat(0, 1, 8000),)


@given(st.text("ab", max_size=12) | st.text("abc", max_size=10))
def test_no_other_choice_of_repeats_leaves_less_to_say(text: str) -> None:
    found = find_repeats(text)
    assert worth(found) == best_worth(text)
    for repeat, end in zip(found, [*(r.start for r in found[1:]), len(text)], strict=False):
        parts = {text[i : i + repeat.length] for i in range(repeat.start, repeat.stop, repeat.length)}
        assert len(parts) == 1
        assert repeat.count > 1
        assert repeat.stop <= end


def worth(repeats: Sequence[Repeat]) -> tuple[int, int, int]:
    """Entries saved, entries covered, minus the number of repeats."""
    saved = sum(r.length * (r.count - 1) for r in repeats)
    return saved, sum(r.length * r.count for r in repeats), -len(repeats)


@cache
def best_worth(text: str) -> tuple[int, int, int]:
    """By trying every choice."""
    if not text:
        return 0, 0, 0
    options = [best_worth(text[1:])]
    for repeat in repeats_at_the_start(text):
        rest = best_worth(text[repeat.stop :])
        mine = worth([repeat])
        options.append((rest[0] + mine[0], rest[1] + mine[1], rest[2] + mine[2]))
    return max(options)


def repeats_at_the_start(text: str) -> Iterator[Repeat]:
    for length in range(1, len(text) // 2 + 1):
        count = 2
        while text.startswith(text[:length] * count):
            yield Repeat(0, length, count)
            count += 1


def test_a_block_that_differs_hashes_differently() -> None:
    made = transformer(3, rotary=True)
    block = ["q1", "k1", "t1", "a1"]
    hashes = {
        structural_hash(made, names)
        for names in (block, block[:-1], ["k1", "q1", "t1", "a1"], ["n1", *block], ["q2", "k2", "t2", "a2"])
    }
    assert len(hashes) == 4  # the last is the first again, of another layer; order and members count
