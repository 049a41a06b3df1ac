"""Which algorithm and protocol NCCL chooses within a domain: by its own tuner's prediction, not by the time it takes.

Source of the form and the figures: NCCL 2.27 (BSD), src/graph/tuning.cc: a base latency, a latency for each step, and
bytes over a bandwidth that the protocol reaches.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from wsc.backends.gpu_cluster.machine import Gpu

RingProtocol = Literal["ll", "ll128", "simple"]


class Prediction(NamedTuple):
    """What NCCL believes of a ring's protocol."""

    base_seconds: float
    step_seconds: float


RING: dict[RingProtocol, Prediction] = {
    "ll": Prediction(6.6e-6, 0.6e-6),
    "ll128": Prediction(14.0e-6, 1.9e-6),
    "simple": Prediction(8.4e-6, 3.4e-6),
}
NVLS_SECONDS = 25e-6
_LL_SHARE, _LL128_SHARE = 0.5, 0.92  # of the simple protocol's bandwidth that is not flags


def chosen_protocol(
    gpu: Gpu, size: int, ranks: int, phases: int
) -> tuple[Literal["ring", "nvls"], RingProtocol]:
    """NCCL's choice for `size` bytes; `phases` is two for an all_reduce, else one."""
    steps = phases * (ranks - 1)
    share = ranks / steps
    nccl = gpu.nccl
    rates: dict[RingProtocol, float] = {
        "ll": min(nccl.ll_bytes_per_second, nccl.ring_bytes_per_second * _LL_SHARE) * share,
        "ll128": min(nccl.ll128_bytes_per_second, nccl.ring_bytes_per_second * _LL128_SHARE) * share,
        "simple": nccl.ring_bytes_per_second * share,
    }
    predicted = {
        protocol: RING[protocol].base_seconds + steps * RING[protocol].step_seconds + size / rate
        for protocol, rate in rates.items()
    }
    protocol = min(predicted, key=lambda name: predicted[name])
    if gpu.nvlink_reduces and phases == 2 and ranks > 2:
        switch = NVLS_SECONDS + size / (nccl.ring_bytes_per_second * nccl.nvls_efficiency)
        if switch < predicted[protocol]:
            return "nvls", "simple"
    return "ring", protocol
