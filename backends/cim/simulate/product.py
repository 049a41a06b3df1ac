"""One bit-serial product, phase by phase: the arrays settle, converters read the columns, adders weigh the numbers.

Three resources in a row, each free again when the next has taken over (a sample-and-hold stands between arrays and
converters, a register between converters and adders). The pipeline is run by events, once for each kind of product.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from math import ceil

import simpy

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Convert, Loop, Product

_PRODUCTS = 4  # until the spacing has settled


@dataclass(frozen=True)
class ProductTiming:
    """Cycles from a product's start to its last number, and between products that follow each other at once."""

    latency: float
    interval: float


def product_timing(product: Product, machine: CimMachine) -> ProductTiming:
    """Timing of a product's loops on the machine's arrays and converters."""
    array, adc = machine.array, machine.adc
    columns = bits = 0
    for part in _phase(product).body:
        if isinstance(part, Convert):
            columns, bits = part.columns, part.bits
    converters = max(1, array.columns // adc.columns_per_adc)
    convert = ceil(columns / converters) / adc.conversions_per_cycle * max(1.0, bits / adc.bits)
    stages = (array.phase_cycles, convert, array.accumulate_cycles)
    return run_pipeline(_phase(product).count, stages, array.overlap)


def _phase(product: Product) -> Loop:
    return next(inner for inner in product.loop.body if isinstance(inner, Loop))


@cache
def run_pipeline(phases: int, stages: tuple[float, float, float], overlap: bool) -> ProductTiming:
    """Timing of `phases` phases through three resources that take `stages` cycles each."""
    env = simpy.Environment()
    resources = [simpy.Resource(env) for _ in stages]
    ends: list[float] = []

    def phase(drained: simpy.Event, taken: simpy.Event) -> Generator[simpy.Event, None, None]:
        held = resources[0].request()
        yield held
        for number, cycles in enumerate(stages):
            yield env.timeout(cycles)
            if number + 1 < len(stages):
                following = resources[number + 1].request()
                yield following  # until then the value stays where it is
                resources[number].release(held)
                held = following
            if number == 0:
                taken.succeed()
        resources[-1].release(held)
        drained.succeed()

    def products() -> Generator[simpy.Event, None, None]:
        for _ in range(_PRODUCTS):
            for number in range(phases):
                drained, taken = env.event(), env.event()
                env.process(phase(drained, taken))
                if number + 1 == phases:
                    drained.callbacks.append(lambda _: ends.append(env.now))
                yield drained if number + 1 == phases and not overlap else taken

    env.process(products())
    env.run()
    return ProductTiming(ends[0], ends[-1] - ends[-2])
