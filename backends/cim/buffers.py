"""Where the chunks of each stream are kept, and how many: as much room as the tiles' buffers have.

A stream wants room for a source that runs ahead of its target; it needs the room without which the pipeline would not
move. Where the buffers cannot hold what all streams want, every stream gives up the same share of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import ceil

from wsc.backends.cim.program import HOST, Stream

SHARES = (3.0, 2.0, 1.5, 1.0, 0.75, 0.5, 0.25, 0.0)  # of what is wanted beyond what is needed


class BuffersFullError(Exception):
    """The buffers hold `have` bytes and the streams need `need` at least."""

    def __init__(self, need: int, have: int) -> None:
        super().__init__(f"{need} of {have} bytes")
        self.need, self.have = need, have


def kept(
    streams: Sequence[Stream],
    needed: Sequence[int],
    near: Mapping[str, tuple[int, ...]],
    tiles: int,
    buffer_bytes: int,
) -> tuple[Stream, ...]:
    """Streams with capacities and homes; raises BuffersFullError.

    Their capacities are what they want and `needed` the chunks without which nothing moves; `near` are the tiles of
    each stage.
    """
    for share in SHARES:
        sized = [_sized(stream, least, share) for stream, least in zip(streams, needed, strict=True)]
        homes = _homes(sized, near, tiles, buffer_bytes)
        if homes is not None:
            return tuple(replace(s, homes=where) for s, where in zip(sized, homes, strict=True))
    need = sum(s.capacity * s.chunk_bytes for s in sized if s.target != HOST)
    raise BuffersFullError(need, tiles * buffer_bytes)


def _sized(stream: Stream, least: int, share: float) -> Stream:
    if stream.target == HOST:
        return stream
    more = ceil(share * max(0, stream.capacity - least))
    most = max(stream.capacity, least, 2 * stream.source_chunks)  # two inputs
    return replace(stream, capacity=min(most, least + more))


def _homes(
    streams: Sequence[Stream], near: Mapping[str, tuple[int, ...]], tiles: int, buffer_bytes: int
) -> list[tuple[int, ...]] | None:
    room = [buffer_bytes] * tiles
    found: dict[int, tuple[int, ...]] = {}
    # Large ones first: they are the hardest to find room for.
    order = sorted(range(len(streams)), key=lambda i: (-streams[i].capacity * streams[i].chunk_bytes, i))
    for i in order:
        stream = streams[i]
        if stream.target == HOST:
            found[i] = ()
            continue
        homes = _take(room, near[stream.target], stream.capacity * stream.chunk_bytes)
        if homes is None:
            return None
        found[i] = homes
    return [found[i] for i in range(len(streams))]


def _take(room: list[int], near: tuple[int, ...], wanted: int) -> tuple[int, ...] | None:
    """Tiles that keep equal shares of so many bytes: the target's own, or as few as do, the nearest; None for none."""
    share = ceil(wanted / len(near))
    if all(room[tile] >= share for tile in near):
        return _taken(room, near, share)
    order = _by_distance(len(room), near)
    count = 1
    while count <= len(order):
        share = ceil(wanted / count)
        fit = [tile for tile in order if room[tile] >= share][:count]
        if len(fit) == count:
            return _taken(room, tuple(fit), share)
        count = max(count + 1, count * 5 // 4)
    return None


@lru_cache(maxsize=4096)
def _by_distance(tiles: int, near: tuple[int, ...]) -> tuple[int, ...]:
    """The tiles of a stage, then the others, the nearest first."""
    own = frozenset(near)
    return tuple(
        sorted(
            range(tiles),
            key=lambda tile: (tile not in own, min(abs(tile - near[0]), abs(tile - near[-1])), tile),
        )
    )


def _taken(room: list[int], tiles: tuple[int, ...], share: int) -> tuple[int, ...]:
    for tile in tiles:
        room[tile] -= share
    return tiles
