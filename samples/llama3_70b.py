"""Llama 3 70B (Grattafiori et al., 2024) for serving, in half precision: 141 GB of weights, on the meta device.

Four WSE-3 hold them, each part of each layer on a rectangle of cores of its own, so that tokens can follow each other
through the layers. `phase` "prefill" takes `chunk` tokens of a prompt at a time, at the positions it is given, and a
prompt is as many inputs in a row; "decode" takes one token. Caches and options are those of llama3_8b.py.

    wsc compile samples/llama3_70b.py --phase decode --context 4096 --wafers 4 -t wse3
    wsc compile samples/llama3_70b.py --phase prefill --context 4096 --wafers 4 -t wse3
    wsc compile samples/llama3_70b.py -D shape=tiny --phase prefill -D chunk=4 --context 16 -t wafer-8x8
"""

import llama3_8b
from torch import nn

CHUNK = 2  # tokens; more need more memory for activations than the weights leave


def model(shape: str = "llama3-70b", context: int = 4096, layers: int = 0) -> nn.Module:
    return llama3_8b.model(shape, context, layers)


def example_inputs(
    shape: str = "llama3-70b",
    phase: str = "decode",
    context: int = 4096,
    batch: int = 1,
    layers: int = 0,
    chunk: int = CHUNK,
) -> tuple[object, ...]:
    return llama3_8b.example_inputs(shape, phase, context, batch, 0, layers, chunk)
