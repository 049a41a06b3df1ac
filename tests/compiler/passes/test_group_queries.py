import pytest

from tests.compiler.graphs import model
from tests.compiler.passes.checks import check_pass
from wsc.compiler.passes.group_queries import group_queries


def test_attention_reads_what_its_heads_share() -> None:
    check_pass("group_queries", group_queries, model(
        "%q = input(index=0) : f32[2,6,5,4]",
        "%k = input(index=1) : f32[2,3,1,7,4]",
        "%v = input(index=2) : f32[2,3,1,7,8]",
        "%m = input(index=3) : f32[1,1,5,7]",
        "%h = input(index=4) : f32[2,6,5,7]",
        "%ke = expand(shape=(2,3,2,7,4)) %k : f32[2,3,2,7,4]",
        "%ve = expand(shape=(2,3,2,7,8)) %v : f32[2,3,2,7,8]",
        "%kr = reshape(shape=(2,6,7,4), batch=0) %ke : f32[2,6,7,4]",
        "%vr = reshape(shape=(2,6,7,8), batch=0) %ve : f32[2,6,7,8]",
        "%a = attention(scale=0.5) %q %kr %vr %m : f32[2,6,5,8]",
        "%b = attention(scale=0.5) %q %kr %vr %m : f32[2,6,5,8]",
        "%c = attention(scale=0.5) %q %kr %vr %h : f32[2,6,5,8]",
        "return %a %b %c",
    ))  # fmt: skip


KEPT = {
    "values alone": ("k4", "vr"),
    "other groups": ("kr", "vo"),
    "other order": ("kt", "vt"),
}


@pytest.mark.parametrize("why", KEPT)
def test_keeps_what_is_not_shared_in_groups(why: str) -> None:
    k, v = KEPT[why]
    before = model(
        "%q = input(index=0) : f32[1,4,5,4]",
        "%k4 = input(index=1) : f32[1,4,7,4]",
        "%k = input(index=2) : f32[1,2,1,7,4]",
        "%o = input(index=3) : f32[1,1,1,7,4]",
        "%t = input(index=4) : f32[1,1,2,7,4]",
        "%ke = expand(shape=(1,2,2,7,4)) %k : f32[1,2,2,7,4]",
        "%oe = expand(shape=(1,1,4,7,4)) %o : f32[1,1,4,7,4]",
        "%te = expand(shape=(1,2,2,7,4)) %t : f32[1,2,2,7,4]",
        "%kr = reshape(shape=(1,4,7,4), batch=0) %ke : f32[1,4,7,4]",
        "%vr = reshape(shape=(1,4,7,4), batch=0) %ke : f32[1,4,7,4]",
        "%vo = reshape(shape=(1,4,7,4), batch=0) %oe : f32[1,4,7,4]",
        "%kt = reshape(shape=(1,4,7,4), batch=0) %te : f32[1,4,7,4]",
        "%vt = reshape(shape=(1,4,7,4), batch=0) %te : f32[1,4,7,4]",
        f"%a = attention(scale=0.5) %q %{k} %{v} : f32[1,4,5,4]",
        "return %a",
    )
    attention = group_queries(before).graph["a"]
    assert attention.inputs == ("q", k, v)
    assert attention.op.kind == "attention"
