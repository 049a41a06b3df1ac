"""Every operation of torch's core set has a lowering, is taken apart by torch, or is refused with a reason."""

import torch

from wsc.frontend.export import decompositions
from wsc.frontend.lower import lowered_targets
from wsc.frontend.lower.refused import refused_targets


def core_operations() -> list[str]:
    packets = (getattr(torch.ops.aten, name) for name in dir(torch.ops.aten))
    packets = [packet for packet in packets if hasattr(packet, "overloads")]
    found = [getattr(packet, overload) for packet in packets for overload in packet.overloads()]
    # Export leaves no operation that changes its arguments.
    return sorted(str(op) for op in found if torch.Tag.core in op.tags and not op._schema.is_mutable)


def test_every_core_operation_is_dealt_with():
    core = core_operations()
    assert len(core) > 180
    taken_apart = {str(op) for op in decompositions()}
    assert [op for op in core if op not in lowered_targets() | taken_apart] == []


def test_those_that_are_refused_are_known():
    assert sorted(set(core_operations()) & refused_targets()) == [
        "aten._local_scalar_dense.default",
        "aten.native_dropout.default",
        "aten.nonzero.default",
        "aten.rand.default",
        "aten.randn.default",
        "aten.randperm.default",
        "aten.sym_numel.default",
        "aten.sym_storage_offset.default",
    ]
