"""The registry: every name in it is an operation of ATen, and names it once."""

import pytest
import torch

from wsc.frontend.lower.registry import find_lowering, lowered_targets, lowering

# Modules that define the operations of a namespace; one is of an optional library.
DEFINED_IN = {
    "transformers": "transformers.integrations.moe",
    "quantized_decomposed": "torch.ao.quantization.fx._decomposed",
}


def test_every_target_exists():
    for target in sorted(lowered_targets()):
        namespace, name, overload = target.split(".")
        if namespace in DEFINED_IN:
            pytest.importorskip(DEFINED_IN[namespace])
        assert str(getattr(getattr(getattr(torch.ops, namespace), name), overload)) == target


def test_a_second_lowering_of_a_target_is_refused():
    with pytest.raises(ValueError, match=r"aten\.linear\.default has two lowerings"):
        lowering("aten.linear.default")(lambda call: None)


def test_what_has_no_lowering_has_none():
    assert find_lowering("aten.linalg_eig.default") is None
