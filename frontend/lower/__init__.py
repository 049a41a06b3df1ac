"""ATen to the graph: one file a family of operations, found through the registry.

A lowering is a function of a `Call` and of the operation's own arguments in the order of its ATen schema. It returns
the value of each result, raises `Unsupported` for arguments it cannot take, and may raise ValueError by way of an op.
Operations that have a lowering are kept whole by the export; torch decomposes the others first.
"""

from wsc.frontend.lower import (
    activation,
    angles,
    attention,
    backward,
    complex,
    contraction,
    conversion,
    convolution,
    creation,
    distance,
    elementwise,
    experts,
    fourier,
    indexing,
    normalization,
    pooling,
    pooling_places,
    quantized,
    reduction,
    refused,
    resize,
    segments,
    shape,
)
from wsc.frontend.lower.program import lower
from wsc.frontend.lower.registry import lowered_targets

__all__ = [
    "activation",
    "angles",
    "attention",
    "backward",
    "complex",
    "contraction",
    "conversion",
    "convolution",
    "creation",
    "distance",
    "elementwise",
    "experts",
    "fourier",
    "indexing",
    "lower",
    "lowered_targets",
    "normalization",
    "pooling",
    "pooling_places",
    "quantized",
    "reduction",
    "refused",
    "resize",
    "segments",
    "shape",
]
