"""Seconds of matrix products: tile, split of k and waves as a vendor's library would choose, the fastest taken.

A block computes one tile; as many blocks run at once as there are SMs. A wave takes the tile's inner loop, bound by the
matrix unit or by the L2 that feeds it, and `tile_seconds` to fill and drain, beside the next wave where the SM has room
for the sums of two tiles. The memory's stream runs beside it.

Large products run into the limit of power: the clock of a GPU that has been busy for milliseconds is lower than that of
one that was idle before (`limited`). Measured rows show it, the longer they are the more.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from wsc.backends.gpu_cluster.kernels import Gemm, Precision
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.backends.gpu_cluster.simulate.memory import stream_seconds

Floats = NDArray[np.float64]

# Rows x columns of a block's tile, and parts that k is cut into: what vendors' libraries ship.
_TILES = ((16, 64), (16, 128), (32, 64), (32, 128), (64, 64), (64, 128), (128, 64), (64, 256))
_LARGE_TILES = ((128, 128), (128, 256), (256, 128))
_SPLITS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
_ROWS, _COLUMNS, _PARTS = np.array(
    [(*tile, parts) for tile, parts in product(_TILES + _LARGE_TILES, _SPLITS)], dtype=np.float64
).T
_LEAST_ROWS = 64  # of a matrix instruction; fewer rows leave it partly idle
_STEP_BYTES = 128  # of k that one step of the inner loop takes from each row
_LEAST_STEPS = 4  # of a part of k, to fill the pipeline of loads
_TERA = 1e12
_L2_SHARE = 0.7  # of the L2 that operands may take and be read from memory but once


def gemm_seconds(kernel: Gemm, gpu: Gpu, busy_seconds: float = 0.0) -> float:
    """Seconds of one product in a CUDA graph, on a GPU that has been busy; ValueError where it lacks the precision."""
    shape = np.array([[kernel.m, kernel.n, kernel.k, kernel.batch]], dtype=np.float64)
    return float(shapes_seconds(shape, kernel.precision, 8 if kernel.accumulate else 2, gpu, busy_seconds)[0])


def shapes_seconds(
    shapes: Floats, precision: Precision, result_bytes: int, gpu: Gpu, busy_seconds: float = 0.0
) -> Floats:
    """Seconds of many products in a CUDA graph.

    `shapes` is [products, 4]: m, n, k, batch; `result_bytes` are moved for each element of the result. The
    GPU has been busy for `busy_seconds` before, and is throughout.
    """
    m, n, k, batch = (shapes[:, [column]] for column in range(4))
    constants = gpu.common.products
    tiles_m, tiles_n = np.ceil(m / _ROWS), np.ceil(n / _COLUMNS)
    steps = np.ceil(k / _PARTS / (_STEP_BYTES / precision.bytes))
    blocks = batch * tiles_m * tiles_n * _PARTS
    waves = np.ceil(blocks / gpu.sms)
    arithmetic = _waves_seconds(waves, steps * _step_seconds(precision, gpu), gpu)
    arithmetic = limited(arithmetic, gpu, busy_seconds)
    moved = _operand_bytes(shapes, blocks, waves, precision, gpu) + batch * m * n * result_bytes
    power = constants.overlap_power
    both = (arithmetic**power + stream_seconds(moved, gpu) ** power) ** (1 / power)
    parts_bytes = 2 * 4 * batch * m * n * _PARTS
    joined = constants.split_seconds + parts_bytes / (gpu.l2_bytes_per_second * constants.l2_efficiency)
    seconds = constants.floor_seconds + both + np.where(_PARTS > 1, joined, 0.0)
    allowed = (_PARTS == 1) | (steps >= _LEAST_STEPS)
    fastest: Floats = np.where(allowed, seconds, np.inf).min(axis=1)
    return fastest


def limited(arithmetic: Floats, gpu: Gpu, busy_seconds: float) -> Floats:
    """Seconds of arithmetic under the limit of power, to which the clock comes down with a time constant.

    The more operations a watt of the limit must pay for at the peak, the more is lost. Where the maker states the clock
    that matrix units keep, it is theirs from the start, and nothing more is lost.
    """
    if gpu.matrix_clock_hz:
        return arithmetic
    constants = gpu.common.products
    loss = constants.power_loss * gpu.peak(Precision.BF16) / gpu.power.tdp_watts / _TERA
    busy = np.maximum(arithmetic, busy_seconds)
    return np.asarray(arithmetic * (1 + loss * -np.expm1(-busy / constants.power_seconds)))


def _waves_seconds(waves: Floats, loop: Floats, gpu: Gpu) -> Floats:
    """Waves of tiles one after another; with room for two accumulators, one drains while the next is computed."""
    tile = gpu.calibration.tile_seconds
    if gpu.accumulators < 2:
        return np.asarray(waves * (loop + tile))
    return np.asarray(waves * np.maximum(loop, tile) + tile)


def _step_seconds(precision: Precision, gpu: Gpu) -> Floats:
    """One step of a tile's inner loop on one SM: the matrix unit, or the L2's share that loads both operands."""
    depth = _STEP_BYTES / precision.bytes
    flops = 2 * np.maximum(_ROWS, _LEAST_ROWS) * _COLUMNS * depth
    compute = flops * gpu.sms / (gpu.kept(precision) * gpu.calibration.tensor_efficiency)
    multicast = gpu.l2_bytes_per_second * gpu.common.products.l2_efficiency * gpu.l2_multicast
    load = (_ROWS + _COLUMNS) * _STEP_BYTES * gpu.sms / multicast
    return np.asarray(np.maximum(compute, load))


def _operand_bytes(shapes: Floats, blocks: Floats, waves: Floats, precision: Precision, gpu: Gpu) -> Floats:
    """Bytes of the operands from memory: once where they fit the L2, else what each wave's square of tiles needs."""
    m, n, k, batch = (shapes[:, [column]] for column in range(4))
    once = batch * (m * k + k * n) * precision.bytes
    running = np.minimum(blocks, gpu.sms)
    down = np.minimum(np.ceil(m / _ROWS), np.maximum(1.0, np.sqrt(running * _COLUMNS / _ROWS)))
    across = np.minimum(np.ceil(n / _COLUMNS), np.ceil(running / down))
    each_wave = waves * (down * _ROWS + across * _COLUMNS) * (k / _PARTS) * precision.bytes
    fits = once / batch < _L2_SHARE * gpu.l2_bytes
    return np.asarray(np.where(fits, once, np.maximum(once, each_wave)))
