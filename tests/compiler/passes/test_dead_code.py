from tests.compiler.graphs import model
from tests.compiler.passes.checks import check_pass
from wsc.compiler.passes.dead_code import dead_code


def test_drops_what_no_output_needs_but_no_input() -> None:
    before = model(
        "%x = input(index=0) : f32[2]",
        "%unread = input(index=1) : f32[3]",
        "%w = parameter(key='w') : f32[2]",
        "%v = parameter(key='v') : f32[3]",
        "%y = elementwise(fn='mul', scalars=(None, None)) %x %w : f32[2]",
        "%side = elementwise(fn='mul', scalars=(None, None)) %unread %v : f32[3]",
        "%chain = elementwise(fn='exp', scalars=(None,)) %side : f32[3]",
        "return %y",
    )
    after = check_pass("dead_code", dead_code, before)
    assert set(after.weights) == {"w"}


def test_keeps_a_weight_that_another_node_shares() -> None:
    before = model(
        "%a = parameter(key='w') : f32[2]",
        "%b = parameter(key='w') : f32[2]",
        "return %b",
    )
    after = dead_code(before)
    assert [node.name for node in after.graph] == ["b"]
    assert set(after.weights) == {"w"}
