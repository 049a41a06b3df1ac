from tests.compiler.graphs import model
from tests.compiler.passes.checks import check_pass
from wsc.compiler.passes.bypass_broadcast import bypass_broadcast


def test_readers_that_broadcast_read_the_narrow_tensor() -> None:
    check_pass("bypass_broadcast", bypass_broadcast, model(
        "%x = input(index=0) : f32[2,3,5]",
        "%q = input(index=1) : f32[2,3,5,4]",
        "%k = input(index=2) : f32[2,1,5,4]",
        "%m = input(index=3) : f32[1,1,5,5]",
        "%w = parameter(key='w') : f32[1,1,5]",
        "%we = expand(shape=(2,3,5)) %w : f32[2,3,5]",
        "%y = elementwise(fn='add', scalars=(None, None)) %we %x : f32[2,3,5]",
        "%ke = expand(shape=(2,3,5,4)) %k : f32[2,3,5,4]",
        "%me = expand(shape=(2,3,5,5)) %m : f32[2,3,5,5]",
        "%a = attention(scale=1.0) %q %ke %ke %me : f32[2,3,5,4]",
        "return %y %a",
    ))  # fmt: skip


def test_keeps_an_expansion_that_gives_the_extent() -> None:
    check_pass("bypass_broadcast_kept", bypass_broadcast, model(
        "%a = input(index=0) : f32[2,1]",
        "%b = input(index=1) : f32[2,1]",
        "%q = input(index=2) : f32[3,4]",
        "%m = input(index=3) : f32[1,3]",
        "%ae = expand(shape=(2,3)) %a : f32[2,3]",
        "%be = expand(shape=(2,3)) %b : f32[2,3]",
        "%both = elementwise(fn='add', scalars=(None, None)) %ae %be : f32[2,3]",
        "%alone = elementwise(fn='exp', scalars=(None,)) %ae : f32[2,3]",
        "%moved = permute(order=(1,0)) %ae : f32[3,2]",
        "%me = expand(shape=(3,3)) %m : f32[3,3]",
        "%att = attention(scale=1.0) %q %q %q %me : f32[3,4]",
        "return %both %alone %moved %att",
    ))  # fmt: skip
