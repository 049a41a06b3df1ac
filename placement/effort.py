"""How hard to try: counts of moves and limits of deterministic time, so that the result never hangs on a clock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from wsc.compiler.errors import VerificationError


@dataclass(frozen=True, slots=True)
class Folding:
    """How thoroughly to fold a chain; raises VerificationError for figures that make no sense.

    `looks` limits on time are looked at coarsely and `limits` folded in full, with tables so many times as fine for
    each of `fine`, the best `wholes` floorplans of each being laid out. `prices` are those of wasted area, beside what
    it is thought to be worth, at which the best floorplan of a run is kept; a rung has up to `rung` blocks on either
    side in chains of up to 20, fewer in longer ones.
    """

    looks: int = 16
    limits: int = 5
    wholes: int = 200
    prices: tuple[float, ...] = (0.25, 1.0, 4.0)
    rung: int = 12
    fine: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        if (
            min(self.looks, self.limits, self.wholes, self.rung) < 0
            or not self.prices
            or min(self.prices) < 0
            or min(self.fine, default=0) < 1
        ):
            raise VerificationError(f"folding takes figures of at least 0, and prices: {self}")


@dataclass(frozen=True, slots=True)
class Agreeing:
    """How thoroughly to look for rows whose neighbours agree on port tuples; raises VerificationError for figures that
    make no sense.

    So many `looks` at limits are taken for each number of equal rows and for each of the `snakes`, the best of which
    is changed in up to so many `steps`.
    """

    looks: int = 8
    snakes: int = 4
    steps: int = 2

    def __post_init__(self) -> None:
        if min(self.looks, self.snakes, self.steps) < 0:
            raise VerificationError(f"agreeing takes figures of at least 0: {self}")


@dataclass(frozen=True, slots=True)
class SolveParams:
    """The work to do; raises VerificationError for figures that make no sense.

    `limits` times are tried for snakes, `folding` is how thoroughly the chain is folded, and `levels` are open to the
    annealing. `starts` trees are annealed for `moves` moves each; of the results the better half is annealed again,
    twice as long, until one is left (`rounds` at most). `splits` bounds the slicing of chains in order: it holds runs
    to a length (beyond about 120 blocks). `rows` limits are looked at for the best layout of a chain in one row; where
    that is far cheaper than any other start and `trust_rows` is set, nothing else is tried. `agreeing` is how
    thoroughly rows of any blocks are looked for whose neighbours agree on port tuples. `reorder` counts the splits in
    other orders of the chain, tried for a shorter time where there are no weights. Problems of up to `exact_blocks`
    blocks go to the exact model as a whole for `exact_effort` deterministic seconds of the solver; the `polished` best
    placements are polished for `polish_effort` each, where adapters are not dear or `polish_ports` is set. Efforts of 0
    leave the exact models out. The work of `first` comes before, and what it finds counts as well, so that more work is
    never worse.
    """

    limits: int = 24
    folding: Folding = Folding()
    levels: int = 24
    starts: int = 8
    moves: int = 80_000
    rounds: int = 3
    polished: int = 2
    splits: int = 300_000
    reorder: int = 6_000_000
    rows: int = 60
    agreeing: Agreeing = Agreeing()
    trust_rows: bool = False
    exact_blocks: int = 8
    exact_shapes: int = 20_000
    exact_effort: float = 0.5
    polish_effort: float = 4.0
    polish_ports: bool = True
    first: SolveParams | None = None

    def __post_init__(self) -> None:
        counts = (
            self.moves,
            self.splits,
            self.reorder,
            self.rows,
            self.exact_blocks,
            self.exact_shapes,
        )
        if min(*counts, self.exact_effort, self.polish_effort) < 0:
            raise VerificationError(f"parameters of at least 0 are needed: {self}")
        if min(self.limits, self.levels, self.starts, self.rounds, self.polished) < 1:
            raise VerificationError(f"at least one limit, level, start and round is needed: {self}")

    def steps(self) -> list[SolveParams]:
        """What to do one after the other, each without regard to the others."""
        return [*(self.first.steps() if self.first else ()), self]


class Effort(Enum):
    """Named efforts; an input of the ISPD 2020 contest takes about 5, 60 and 300 seconds on two cores."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def params(self) -> SolveParams:
        """The work that goes with the name."""
        return _PARAMS[self]


_LOW = SolveParams(
    limits=10,
    folding=Folding(looks=8, limits=2, wholes=60, rung=6),
    levels=12,
    starts=8,
    moves=30_000,
    rounds=3,
    polished=1,
    reorder=1_500_000,
    rows=30,
    agreeing=Agreeing(looks=8, snakes=2, steps=0),
    trust_rows=True,
    exact_effort=0.5,
    polish_effort=0.5,
    polish_ports=False,
)
_MEDIUM = SolveParams(
    folding=Folding(looks=24, limits=6, wholes=300, rung=12, fine=(1, 2)),
    starts=12,
    moves=100_000,
    rounds=4,
    polish_effort=2.0,
    first=_LOW,
)
_HIGH = SolveParams(
    limits=40,
    folding=Folding(
        looks=40, limits=8, wholes=1_000, prices=(0.06, 0.25, 1.0, 4.0, 16.0), rung=24, fine=(1, 2, 3)
    ),
    levels=32,
    starts=24,
    moves=200_000,
    rounds=4,
    polished=4,
    reorder=30_000_000,
    rows=150,
    agreeing=Agreeing(looks=16, snakes=8, steps=6),
    polish_effort=6.0,
    first=_MEDIUM,
)
_PARAMS = {Effort.LOW: _LOW, Effort.MEDIUM: _MEDIUM, Effort.HIGH: _HIGH}
