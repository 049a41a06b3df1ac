"""A pipeline's program, verified, with routes on which the colours do."""

from __future__ import annotations

from wsc.backends.wafer.emit.program import emit
from wsc.backends.wafer.fabric_use import FabricUse, fabric_use
from wsc.backends.wafer.plan import Plan
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.stream_colors import rerouted
from wsc.backends.wafer.verify import verify
from wsc.compiler.errors import DoesNotFit


def emit_pipeline(plan: Plan) -> tuple[Program, FabricUse | None]:
    """The program, and what it takes of the fabric; raises DoesNotFit where colours run out on any routes.

    Streams go where links have least to carry; where that takes too many colours, as few turn as meet too often.
    """
    program = emit(plan)
    verify(program)
    try:
        return program, fabric_use(program, plan.machine)
    except DoesNotFit:
        other = rerouted(program, plan.machine)
        if other is None:
            raise
    verify(other)
    return other, fabric_use(other, plan.machine)
