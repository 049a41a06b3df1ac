"""One resource doubled, or one cost halved: what `wsc explain` simulates again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wsc.backends.target import Variant
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Program


def variants(program: Program, machine: Wafer) -> tuple[Variant, ...]:
    """A machine with twice of each resource, and the program with twice the room in the streams between kernels."""
    core, fabric = machine.core, machine.fabric
    machines: dict[str, dict[str, Any]] = {
        "twice the multiply-adds a cycle": {
            "core": {
                "f32_mac_cycles": core.f32_mac_cycles / 2,
                "f16_mac_cycles": core.f16_mac_cycles / 2,
                "f32_macs_per_cycle": core.f32_macs_per_cycle * 2,
                "f16_macs_per_cycle": core.f16_macs_per_cycle * 2,
            }
        },
        "twice the other vector operations a cycle": {
            "core": {
                "f32_vector_ops_per_cycle": core.f32_vector_ops_per_cycle * 2,
                "f16_vector_ops_per_cycle": core.f16_vector_ops_per_cycle * 2,
            }
        },
        "vector instructions issued in half the time": {
            "core": {"vector_startup_cycles": core.vector_startup_cycles // 2}
        },
        "tasks started in half the time": {"core": {"task_startup_cycles": core.task_startup_cycles // 2}},
        "links twice as wide": {"fabric": {"link_bytes_per_cycle": fabric.link_bytes_per_cycle * 2}},
        "twice the bandwidth over the edge": {
            "fabric": {"edge_bytes_per_second": fabric.edge_bytes_per_second * 2}
        },
    }
    roomier = tuple(
        s if HOST in (s.source.kernel, s.target.kernel) else replace(s, capacity=2 * s.capacity)
        for s in program.streams
    )
    return (
        *(Variant(change, program, _with(machine, parts)) for change, parts in machines.items()),
        Variant(
            "twice the buffers of every stream between kernels", replace(program, streams=roomier), machine
        ),
    )


def _with(machine: Wafer, parts: dict[str, dict[str, Any]]) -> Wafer:
    changed = {name: getattr(machine, name).model_copy(update=figures) for name, figures in parts.items()}
    return machine.model_copy(update=changed)
