"""Numbers for every core."""

import numpy as np

from tests.wafer.simulate.programs import chain, kernel, one_kernel, program, stream, wafer
from wsc.backends.wafer.simulate import core_maps, floorplan, simulate

RAGGED = """
buffer %x f32[4] [a:2] stream x2 @0
buffer %y f32[4] [a:2] local x2 @16
%x = recv(stream='s0')
%y = elementwise(fn='relu', scalars=(None,)) %x
"""


def test_every_word_of_a_stream_is_on_the_links_of_its_way() -> None:
    """Eight words from (0, 0) to (1, 0), and on from there to the east edge; the way in leaves no core."""
    whole = chain("relu", "relu")
    maps = core_maps(whole, wafer(), simulate(whole, wafer()))
    assert maps.link_words[0].tolist() == [8, 8, 8, 8]
    assert maps.busiest_link_words[0].tolist() == [8, 8, 8, 8]
    assert np.isnan(maps.link_words[1:]).all()


def test_movement_within_a_region_stays_on_its_inner_links() -> None:
    lines = """
    buffer %x f32[8] [.] at a stream x2 @0
    buffer %y f32[8] [.] local x2 @64
    %x = recv(stream='s0')
    %y = multicast(axes=('a',)) %x
    """
    whole = one_kernel("a=3y", lines, "f32[8]", "f32[8]", ("x", "y"))
    maps = core_maps(whole, wafer(), simulate(whole, wafer()))
    assert maps.link_words[:, 0].tolist()[:3] == [8 + 8, 8, 0]  # south, and from part 0 east to the host
    assert maps.busiest_link_words[0, 0] == 8


def test_memory_is_data_and_code_and_the_runtime() -> None:
    whole = one_kernel("a=3x", RAGGED, "f32[4]", "f32[4]", ("x", "y"))
    maps = core_maps(whole, wafer(), simulate(whole, wafer()))
    assert maps.memory_bytes[0, :3].tolist() == [16 + 16 + 64 + 2048] * 3
    assert np.isnan(maps.memory_bytes[0, 3])
    assert np.isnan(maps.memory_bytes[1:]).all()
    assert maps.memory_bytes.dtype == np.float32


def test_a_core_without_a_tile_computes_nothing() -> None:
    """Four elements in tiles of two: nothing is left for the third core."""
    whole = one_kernel("a=3x", RAGGED, "f32[4]", "f32[4]", ("x", "y"))
    trace = simulate(whole, wafer())
    share = core_maps(whole, wafer(), trace).compute_share
    assert share[0, :3].tolist() == [np.float32(49 / trace.interval_cycles)] * 2 + [0]


def test_chunks_count_for_the_whole_input() -> None:
    one, four = (chain("relu", "relu", words=w, chunks=c) for w, c in ((32, 1), (8, 4)))
    loads = [core_maps(p, wafer(), simulate(p, wafer())).link_words for p in (one, four)]
    np.testing.assert_array_equal(*loads)


def test_the_floor_plan_has_every_kernel_and_every_map() -> None:
    text = [
        kernel("left", "0,1", "a=2x b=3y", "buffer %x f32[6] [a:3] at b stream x2 @0\n%x = recv(stream='s0')\n"
               "send(stream='s1') %x", group="linear"),
    ]  # fmt: skip
    ends = [
        stream("s0", "host %x f32[6] 1", '"left" %x f32[6] 1', "capacity 2 route xy 0,0>0,1"),
        stream("s1", '"left" %x f32[6] 1', "host %y f32[6] 1", "capacity 2 route xy 0,1>0,0"),
    ]
    whole = program("f32[6]", *text, *ends)
    plan = floorplan(whole, wafer(), simulate(whole, wafer()))
    assert [(r.name, r.x, r.y, r.width, r.height, r.group) for r in plan.regions] == [
        ("left", 0, 1, 2, 3, "linear")
    ]
    assert [field.title.split()[0].rstrip(",") for field in plan.fields] == [
        "SRAM",
        "Utilisation",
        "Links",
        "Busiest",
        "Energy",
    ]
