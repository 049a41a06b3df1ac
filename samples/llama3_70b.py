"""Llama 3 70B (Grattafiori et al., 2024) for serving, in half precision: 141 GB of weights, on the meta device.

Four WSE-3 hold them, each part of each layer on a rectangle of cores of its own, so that tokens can follow each other
through the layers. Decode takes one token. So does prefill: a prompt goes through as one token after another, one
behind the other, which is the summary's tokens a second of a prompt. `chunk` takes more of them at once, for which the
weights leave no memory on four wafers. Caches and options are those of llama3_8b.py.

    wsc compile samples/llama3_70b.py --phase decode --context 4096 --wafers 4 -t wse3
    wsc compile samples/llama3_70b.py --phase prefill --context 4096 --wafers 4 -t wse3
    wsc compile samples/llama3_70b.py -D shape=tiny --phase prefill -D chunk=4 --context 16 -t wafer-8x8
"""

import llama3_8b
from torch import nn


def model(shape: str = "llama3-70b", context: int = 4096, layers: int = 0) -> nn.Module:
    return llama3_8b.model(shape, context, layers)


def example_inputs(
    shape: str = "llama3-70b",
    phase: str = "decode",
    context: int = 4096,
    batch: int = 1,
    layers: int = 0,
    chunk: int = 1,
) -> tuple[object, ...]:
    return llama3_8b.example_inputs(shape, phase, context, batch, 0, layers, chunk)
