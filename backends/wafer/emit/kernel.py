"""One kernel, drafted: everything of it that does not depend on where it lies or who its neighbours are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wsc.backends.wafer.cutting import Cutting
from wsc.backends.wafer.emit.draft import Draft
from wsc.backends.wafer.emit.templates import anchor
from wsc.backends.wafer.kernels import FusedKernel
from wsc.backends.wafer.program import Buffer, Instruction


@dataclass(frozen=True)
class DraftedKernel:
    """Buffers and instructions of a kernel; recv and weights are named after feeds, `result` is what it sends."""

    buffers: tuple[Buffer, ...]
    once: tuple[Instruction, ...]
    body: tuple[Instruction, ...]
    result: Buffer


def draft_kernel(kernel: FusedKernel, cutting: Cutting) -> DraftedKernel:
    """Emit a kernel cut in a given way, without its sends."""
    draft = Draft(kernel, cutting)
    result = draft.epilogue(anchor(draft))
    return DraftedKernel(_allocated(draft.buffers), tuple(draft.once), tuple(draft.body), result)


def _allocated(buffers: dict[str, Buffer]) -> tuple[Buffer, ...]:
    """Buffers one after another: chunks overlap in time, so that none can share another's place."""
    address = 0
    placed = []
    for buffer in buffers.values():
        placed.append(replace(buffer, address=address))
        address += buffer.bytes
    return tuple(placed)
