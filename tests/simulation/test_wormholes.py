"""Messages that block each other: cycles by hand, and what must hold for any of them."""

from math import ceil

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wsc.simulation.wormholes import Network, Worm, cycles_of

NETWORK = Network(queue_words=2, hop_cycles=1, ramp_cycles=2, pace=1.0)


def worm(source: int, target: int, words: int, color: int = 0, bank: int = 0) -> Worm:
    """Along a line; it reads from one bank and writes to another."""
    step = 1 if target > source else -1
    way = tuple((x, 0) for x in range(source, target + step, step))
    return Worm(way, color, np.full(words, bank), np.full(words, bank + 1))


def test_nothing_takes_no_time() -> None:
    assert cycles_of([], NETWORK) == 0


def test_a_message_takes_its_words_its_hops_and_two_ramps() -> None:
    assert cycles_of([worm(0, 1, 1)], NETWORK) == 1 + 1 + 4
    assert cycles_of([worm(0, 3, 8)], NETWORK) == 8 + 3 + 4
    assert cycles_of([worm(3, 0, 8)], Network(2, 2, 3, 1.0)) == 8 + 3 * 2 + 6


def test_a_core_passes_a_word_when_the_one_before_has_had_its_time() -> None:
    assert cycles_of([worm(0, 1, 3)], Network(2, 1, 2, 2.5)) == ceil(1 + 4 + 3 * 2.5)


def test_a_core_sends_its_messages_one_after_another() -> None:
    assert cycles_of([worm(0, 1, 8), worm(0, 2, 8, color=1)], NETWORK) == 16 + 2 + 4


def test_messages_of_two_colours_share_a_link() -> None:
    assert cycles_of([worm(0, 3, 8, 0), worm(1, 3, 8, 1)], NETWORK) >= 16 + 2 + 4
    assert (
        cycles_of([worm(0, 3, 8, 0), worm(4, 3, 8, 1)], NETWORK) <= 16 + 3 + 4
    )  # only the last ramp is shared


def test_a_message_waits_for_the_one_before_it_on_its_colour() -> None:
    """The second passes the last router when the first has, though it is there long before."""
    alone = cycles_of([worm(1, 2, 8)], NETWORK)
    assert cycles_of([worm(0, 2, 8), worm(1, 2, 8)], NETWORK) > alone + 8
    assert cycles_of([worm(1, 2, 8), worm(0, 2, 8)], NETWORK) >= 16 + 1 + 4


def test_a_word_waits_for_the_bank_that_another_is_read_from() -> None:
    free = [worm(0, 1, 40), worm(1, 0, 40, 1)]
    meeting = [
        worm(0, 1, 40),
        Worm(((1, 0), (0, 0)), 1, np.full(40, 5), np.full(40, 0)),  # to the bank that core 0 reads from
    ]
    assert cycles_of(meeting, NETWORK) > cycles_of(free, NETWORK)


lines = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 9)).filter(lambda m: m[0] != m[1]),
    min_size=1,
    max_size=12,
)


@given(lines)
def test_no_message_is_held_for_ever_nor_faster_than_its_links(given_: list[tuple[int, int, int]]) -> None:
    """One colour a direction: whatever the messages, they all come, in no less than the busiest link takes."""
    worms = [worm(a, b, words, int(a < b)) for a, b, words in given_]
    on_links = [0] * 10
    for a, b, words in given_:
        for x in range(min(a, b), max(a, b)):
            on_links[2 * x + (a < b)] += words
    found = cycles_of(worms, NETWORK)
    assert max(on_links) + 5 <= found <= sum(words + abs(a - b) + 6 for a, b, words in given_)
