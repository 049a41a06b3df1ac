"""Steps of dynamic programming along a chain whose nets cost more for every entry of two tuples that differs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.jit import jit
from wsc.placement.problem import Ints
from wsc.placement.scene import Prices

FAR = 1 << 60
MOST = 1 << 13  # port entries are smaller: three of them and a parity are a number of 64 bits
_ENTRIES = 3


def can_group(menus: Catalogue, prices: Prices) -> bool:
    """Whether the port tuples are as short and their entries as small as these steps take them."""
    tables = [menu.within(menus.slowest()).ports for menu in menus.menus] if prices.adapter else []
    return all(
        it.shape[1] <= _ENTRIES and it.min(initial=0) >= 0 and it.max(initial=0) < MOST for it in tables
    )


def grouped(
    sums: Ints, before: Ints, entries: Ints, prices: Sequence[int]
) -> Iterator[tuple[Ints, Ints, int]]:
    """For each set of entries that are claimed to agree: the least sums of each group of choices, of what group a
    choice of the next block is (-1: none), and what the entries that are not claimed cost.

    `sums[i]` are those of choices before with the entries `before[i]`; `entries[j]` those of the next block's. A net
    costs the prices of the entries that differ. To claim only some of those that agree is dearer, never cheaper, so
    that the least over all sets is exact; for one set all choices before that agree in it are as good as their best.
    """
    for claimed in itertools.product((False, True), repeat=len(prices)):
        odd = sum(price for price, agrees in zip(prices, claimed, strict=True) if not agrees)
        some = [entry for entry, agrees in enumerate(claimed) if agrees]
        codes, groups = np.unique(codes_of(before[:, some]), return_inverse=True)
        wanted = codes_of(entries[:, some])
        found = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
        found[codes[found] != wanted] = -1
        least = np.full((len(codes), sums.shape[1]), FAR)
        _gather(sums, groups.astype(np.int64), least)
        yield least, found.astype(np.int64), odd


def codes_of(entries: Ints) -> Ints:
    """A number for each row of entries, the same for the same row."""
    codes = np.zeros(len(entries), np.int64)
    for column in entries.T:
        codes = codes * MOST + column
    return codes


@jit
def _gather(sums: Ints, groups: Ints, least: Ints) -> None:
    """The least of the rows of each group."""
    for row in range(sums.shape[0]):
        for column in range(sums.shape[1]):
            least[groups[row], column] = min(least[groups[row], column], sums[row, column])
