"""Seconds of fused attention: prefill by tiles of queries, decode by the kernel and split that the library chooses.

A prefill block takes 128 queries of one head through its keys, 128 at a time: two products and the exponentials between
them. A decode block takes one sequence's keys and values for the query heads that share them (or for one head alone);
long sequences are split among blocks, and a second kernel joins the parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from wsc.backends.gpu_cluster.kernels import Attention
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.backends.gpu_cluster.simulate.memory import kernel_floor_seconds, stream_seconds

_TILE = 128  # queries, and keys, of a block's step
_SHOWN_EXPONENTIALS = 0.5  # that the products do not hide: FlashAttention-3 overlaps two groups of warps
_BACKWARD_WORK = 2.5  # five products instead of two
_BACKWARD_EFFICIENCY = 0.85  # over the forward kernel's: FlashAttention-3, arXiv 2407.08608, figures 5 and 6


@dataclass(frozen=True)
class DecodeLaunch:
    """Blocks of a decode kernel: `units` of work, each cut in `parts`; `shared` says that a block serves all heads."""

    units: int
    parts: int
    shared: bool


def attention_seconds(kernel: Attention, gpu: Gpu) -> float:
    """Seconds of fused attention in a CUDA graph."""
    return _decode(kernel, gpu) if kernel.phase == "decode" else _by_tiles(kernel, gpu)


def _by_tiles(kernel: Attention, gpu: Gpu) -> float:
    library = gpu.common.attention[gpu.attention_library]
    steps, longest_steps = tile_steps(kernel)
    step = _step_seconds(kernel, gpu)
    tiles = kernel.batch * kernel.heads * ceil(kernel.q_len / _TILE)
    longest = longest_steps * step
    compute = max(kernel.batch * kernel.heads * steps * step / gpu.sms, longest)
    if tiles > gpu.sms:
        compute += library.tail * longest / 2
    moved = float(_activation_bytes(kernel))
    run = max(compute, stream_seconds(moved, gpu) * (2 if kernel.phase == "backward" else 1))
    if kernel.phase != "prefill":
        return kernel_floor_seconds(gpu) + run
    rate = gpu.hbm_bytes_per_second * gpu.calibration.hbm_efficiency
    before = library.preprocess_passes * moved / rate
    return library.prefill_floor * gpu.calibration.attention_floor_seconds + before + run


def tile_steps(kernel: Attention) -> tuple[float, float]:
    """Steps of one head's tiles together, and of the longest tile; a causal tile stops at its last query's key."""
    tiles = ceil(kernel.q_len / _TILE)
    every = ceil(kernel.kv_len / _TILE)
    if not kernel.causal:
        return tiles * every, every
    past = kernel.kv_len - kernel.q_len
    last = [min(every, ceil((past + (tile + 1) * _TILE) / _TILE)) for tile in range(tiles)]
    return sum(last), max(last)


def _step_seconds(kernel: Attention, gpu: Gpu) -> float:
    pairs = _TILE * _TILE
    products = 4 * pairs * kernel.head_dim * gpu.sms / gpu.kept(kernel.precision)
    exponentials = pairs / (gpu.exponentials_per_cycle * gpu.clock_hz)
    seconds = (products + _SHOWN_EXPONENTIALS * exponentials) / gpu.calibration.attention_efficiency
    return seconds * _BACKWARD_WORK / _BACKWARD_EFFICIENCY if kernel.phase == "backward" else seconds


def _activation_bytes(kernel: Attention) -> int:
    """Queries and results, keys and values, once each."""
    queries = kernel.batch * kernel.heads * kernel.q_len
    keys = kernel.batch * kernel.kv_heads * kernel.kv_len
    return 2 * kernel.precision.bytes * kernel.head_dim * (queries + keys)


def _decode(kernel: Attention, gpu: Gpu) -> float:
    library = gpu.common.attention[gpu.attention_library]
    launch = decode_launch(kernel, gpu)
    key_bytes = 2 * kernel.precision.bytes * kernel.head_dim
    waves = ceil(launch.units * launch.parts / gpu.sms)
    rate = library.shared_bytes_per_second if launch.shared else library.head_bytes_per_second
    block = gpu.calibration.attention_block_seconds * (1.0 if launch.shared else library.head_block)
    chunk = ceil(kernel.kv_len / launch.parts) * key_bytes / rate
    blocks = (waves - library.first_wave) * block + waves * chunk
    stream = stream_seconds(float(kernel.batch * kernel.kv_heads * kernel.kv_len * key_bytes), gpu)
    power = library.overlap_power
    run: float = (blocks**power + stream**power) ** (1 / power)
    seconds = gpu.calibration.attention_floor_seconds + run
    seconds += library.combine_seconds if launch.parts > 1 else 0.0
    return seconds + _transposes(kernel, launch, gpu)


def _transposes(kernel: Attention, launch: DecodeLaunch, gpu: Gpu) -> float:
    """FlashAttention 2 gathers heads that share keys and scatters the result: two copies, none where strides do."""
    copies = gpu.attention_library == "flash" and launch.shared and kernel.batch > 1 and kernel.kv_heads > 1
    if not copies:
        return 0.0
    moved = 2.0 * kernel.batch * kernel.heads * kernel.q_len * kernel.head_dim * kernel.precision.bytes
    return 2 * (kernel_floor_seconds(gpu) + stream_seconds(moved, gpu))


def decode_launch(kernel: Attention, gpu: Gpu) -> DecodeLaunch:
    """The kernel and split that the library chooses."""
    return _flash_launch(kernel, gpu) if gpu.attention_library == "flash" else _trtllm_launch(kernel, gpu)


# TensorRT-LLM, decoderXQARunner and xqaParams (Apache-2.0): the kernel that shares keys among up to 32 heads is taken
# where a quarter of the SMs get a block; a part has at least 128 keys, and there are at most eight waves.
_TRTLLM_MOST_SHARED, _TRTLLM_KEYS, _TRTLLM_WAVES, _TRTLLM_BLOCKS = 32, 128, 8, 4


def _trtllm_launch(kernel: Attention, gpu: Gpu) -> DecodeLaunch:
    parts = max(1, kernel.kv_len // _TRTLLM_KEYS)
    group = kernel.heads // kernel.kv_heads * kernel.q_len
    units = kernel.batch * kernel.kv_heads
    shared = 1 < group <= _TRTLLM_MOST_SHARED and units * parts * _TRTLLM_BLOCKS >= gpu.sms
    units = units if shared else kernel.batch * kernel.heads
    most = max(1, _TRTLLM_WAVES * gpu.sms // units)
    return DecodeLaunch(units, min(parts, most), shared)


# FlashAttention 2 (BSD), flash_api.cpp, num_splits_heuristic: two blocks an SM, parts of whole tiles of 128 keys, and
# the fewest parts whose last wave is filled to 85 % of the best. Heads that share nothing are not split.
_FLASH_BLOCKS, _FLASH_PARTS, _FLASH_FULL, _FLASH_ENOUGH = 2, 128, 0.8, 0.85


def _flash_launch(kernel: Attention, gpu: Gpu) -> DecodeLaunch:
    shared = kernel.heads > kernel.kv_heads
    units = kernel.batch * (kernel.kv_heads if shared else kernel.heads)
    return DecodeLaunch(units, _flash_parts(units, kernel.kv_len, gpu.sms) if shared else 1, shared)


def _flash_parts(units: int, keys: int, sms: int) -> int:
    slots, tiles = _FLASH_BLOCKS * sms, ceil(keys / _TILE)
    if units >= _FLASH_FULL * slots:
        return 1
    filled: dict[int, float] = {}
    for parts in range(1, min(_FLASH_PARTS, slots, tiles) + 1):
        if parts == 1 or ceil(tiles / parts) != ceil(tiles / (parts - 1)):
            waves = units * parts / slots
            filled[parts] = waves / ceil(waves)
    enough = _FLASH_ENOUGH * max(filled.values())
    return next(parts for parts, share in filled.items() if share >= enough)
