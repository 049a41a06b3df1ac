"""Choosing a label for every block of a graph, where each costs something and neighbours' entries should agree.

The cost is a sum over the blocks of what their labels cost, and over the nets a price for every entry of the two ends'
labels that differs: a Potts model. It is lowered by expansion moves (Boykov, Veksler and Zabih, PAMI 2001): every
block either keeps its label or takes an offered one, all at once. Where nets reach no further than a few places of
the order the best of all such moves is found by dynamic programming over who took the offer among the last few
blocks; nets that reach further see the other end as it was, and a move that does not pay is not made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wsc.placement.agreeing import FAR, MOST, codes_of
from wsc.placement.jit import jit
from wsc.placement.problem import Ints

Bools = NDArray[np.bool_]

_REACH = 3  # places of the order within which moves know both ends of a net
_SWEEPS = 8


@dataclass(frozen=True, eq=False)
class Labels:
    """All labels there are: `entries` [label, entry], in order of their codes, and the nets between places.

    `nets` are pairs of places of the order, the lower first; `price` is what an entry that differs costs.
    """

    entries: Ints
    nets: Ints
    price: int

    @classmethod
    def of(cls, entries: Ints, nets: Sequence[tuple[int, int]], price: int) -> Labels:
        """The labels with these entries; nets may be given either way round."""
        order = np.argsort(codes_of(entries), kind="stable")
        pairs = np.array([sorted(net) for net in nets], np.int64).reshape(-1, 2)
        return cls(np.ascontiguousarray(entries[order]), pairs[np.lexsort(pairs.T)], price)

    def cost(self, own: Ints, chosen: Ints) -> int:
        """What a choice costs; `own` [place, label] is what each label costs there, FAR where there is none."""
        ends = self.entries[chosen[self.nets]]
        odd = int((ends[:, 0] != ends[:, 1]).sum())
        return int(own[np.arange(len(chosen)), chosen].sum()) + odd * self.price

    def agreed(self, own: Ints, chosen: Ints, active: Bools | None = None) -> tuple[Ints, Bools]:
        """A choice that no single move of the kinds below makes cheaper, from `chosen`, and which offers helped.

        Offered are each label as a whole, each but for its last entry, and each last entry alone: so that a group of
        blocks may change what it shares and keep what is its own. Where `active` is given, only those are offered,
        and what is chosen.
        """
        codes = codes_of(self.entries)
        chosen = chosen.astype(np.int64).copy()
        offers = self.offers
        every = np.zeros(len(offers), np.bool_)
        active = ~every if active is None else active | np.isin(offers[:, 0], chosen)
        for _ in range(_SWEEPS):
            helped = np.zeros(len(offers), np.bool_)
            _sweep(own, self.entries, codes, self.nets, self.price, offers, active, helped, chosen)
            settled = _settle(own, self.entries, self.nets, self.price, chosen)
            every |= helped
            if not helped.any() and not settled:
                break
            active = every | np.isin(offers[:, 0], chosen)
        return chosen, every | np.isin(offers[:, 0], chosen)

    @cached_property
    def offers(self) -> Ints:
        """Rows (label, first entry taken, one past the last)."""
        codes = codes_of(self.entries)
        last = self.entries.shape[1]
        every = np.arange(len(codes))
        kinds = {(0, last), (0, last - 1), (last - 1, last)} if last > 1 else {(0, last)}
        rows = []
        for first, stop in sorted(kinds):
            _, firsts = np.unique(codes_of(self.entries[:, first:stop]), return_index=True)
            some = every if (first, stop) == (0, last) else np.sort(firsts)
            rows.append(np.column_stack([some, np.full(len(some), first), np.full(len(some), stop)]))
        return np.concatenate(rows).astype(np.int64)


@jit
def _differ(entries: Ints, one: int, other: int) -> int:
    """How many entries of two labels differ."""
    odd = 0
    if one != other:
        for entry in range(entries.shape[1]):
            odd += entries[one, entry] != entries[other, entry]
    return odd


@jit
def _sweep(
    own: Ints,
    entries: Ints,
    codes: Ints,
    nets: Ints,
    price: int,
    offers: Ints,
    active: Bools,
    helped: Bools,
    chosen: Ints,
) -> None:
    """Makes the best move of every active offer that pays, and marks those that did."""
    places, last = own.shape[0], entries.shape[1]
    offered = np.empty(places, np.int64)
    before = _total(own, entries, nets, price, chosen)
    odd = _odd(entries, nets, chosen)
    for index in range(len(offers)):
        if not active[index]:
            continue
        label, first, stop = offers[index]
        hope = False  # no move of this offer pays where no place that takes it could gain by all nets of it agreeing
        for place in range(places):
            offered[place] = label
            if first != 0 or stop != last:
                code = 0
                for entry in range(last):
                    source = label if first <= entry < stop else chosen[place]
                    code = code * MOST + entries[source, entry]
                at = np.searchsorted(codes, code)
                offered[place] = at if at < len(codes) and codes[at] == code else chosen[place]
            hope |= own[place, offered[place]] < own[place, chosen[place]] + price * odd[place]
        if not hope:
            continue
        moved = _expanded(own, entries, nets, price, chosen, offered)
        after = _total(own, entries, nets, price, moved)
        if after < before:
            before = after
            helped[index] = True
            chosen[:] = moved
            odd = _odd(entries, nets, chosen)


@jit
def _odd(entries: Ints, nets: Ints, chosen: Ints) -> Ints:
    """The entries that differ over all nets of each place."""
    odd = np.zeros(len(chosen), np.int64)
    for net in range(len(nets)):
        each = _differ(entries, chosen[nets[net, 0]], chosen[nets[net, 1]])
        odd[nets[net, 0]] += each
        odd[nets[net, 1]] += each
    return odd


@jit
def _total(own: Ints, entries: Ints, nets: Ints, price: int, chosen: Ints) -> int:
    """What a choice costs."""
    total = 0
    for place in range(len(chosen)):
        total += own[place, chosen[place]]
    for net in range(len(nets)):
        total += price * _differ(entries, chosen[nets[net, 0]], chosen[nets[net, 1]])
    return total


@jit
def _expanded(own: Ints, entries: Ints, nets: Ints, price: int, chosen: Ints, offered: Ints) -> Ints:
    """Who takes the offer, by dynamic programming over those who did among the last few; `nets` by their later end."""
    places, states = len(chosen), 1 << _REACH
    sums = np.full(states, FAR)
    sums[0] = 0
    came = np.zeros((places, states), np.int64)
    net = 0
    for place in range(places):
        stop = net
        while stop < len(nets) and nets[stop, 1] == place:
            stop += 1
        after = np.full(states, FAR)
        for state in range(states):
            if sums[state] >= FAR:
                continue
            for taken in range(2):
                label = offered[place] if taken else chosen[place]
                if own[place, label] >= FAR or (taken and label == chosen[place]):
                    continue
                total = sums[state] + own[place, label]
                for each in range(net, stop):
                    other = _end(nets[each, 0], place, state, chosen, offered)
                    total += price * _differ(entries, label, other)
                reached = ((state << 1) | taken) & (states - 1)
                if total < after[reached]:
                    after[reached] = total
                    came[place, reached] = state
        sums, net = after, stop
    return _moved(came, int(np.argmin(sums)), chosen, offered)


@jit
def _moved(came: Ints, state: int, chosen: Ints, offered: Ints) -> Ints:
    """The choice after the move that ends in a state, read backwards."""
    moved = chosen.copy()
    for place in range(len(chosen) - 1, -1, -1):
        if state & 1:
            moved[place] = offered[place]
        state = int(came[place, state])
    return moved


@jit
def _end(before: int, place: int, state: int, chosen: Ints, offered: Ints) -> int:
    """The label at the earlier end of a net to a place, as `state` tells who took the offer."""
    back = place - before
    took = back <= _REACH and (state >> (back - 1)) & 1
    return int(offered[before] if took else chosen[before])


@jit
def _settle(own: Ints, entries: Ints, nets: Ints, price: int, chosen: Ints) -> bool:
    """Gives each block in turn the label that is best beside its neighbours; whether that changed any."""
    changed = False
    beside = np.empty(2 * len(nets), np.int64)
    for place in range(len(chosen)):
        count = 0
        for net in range(len(nets)):
            if place in (nets[net, 0], nets[net, 1]):
                beside[count] = chosen[nets[net, 0] + nets[net, 1] - place]
                count += 1
        best, least = chosen[place], own[place, chosen[place]]
        for each in range(count):
            least += price * _differ(entries, best, beside[each])
        for label in range(own.shape[1]):
            total = own[place, label]
            for each in range(count):
                if total >= least:
                    break
                total += price * _differ(entries, label, beside[each])
            if total < least:
                best, least = label, total
                changed = True
        chosen[place] = best
    return changed
