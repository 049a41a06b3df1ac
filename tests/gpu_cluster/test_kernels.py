"""Times of kernels: the choice of tile and split, attention's launches, floors, and what must hold of any model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.backends.gpu_cluster.clusters import cluster_named, gpu_names
from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Pointwise, Precision, Quantize
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.backends.gpu_cluster.simulate.attention import DecodeLaunch, decode_launch, tile_steps
from wsc.backends.gpu_cluster.simulate.gemm import shapes_seconds
from wsc.backends.gpu_cluster.simulate.kernels import kernel_seconds
from wsc.backends.gpu_cluster.simulate.memory import kernel_floor_seconds, stream_seconds

SIZES = st.integers(1, 8192)


def gpu(name: str = "h100") -> Gpu:
    return cluster_named(f"{name}x1").gpu


@pytest.mark.parametrize("name", gpu_names())
@given(m=SIZES, n=SIZES, k=SIZES)
def test_no_product_beats_the_peak_or_the_memory(name: str, m: int, n: int, k: int) -> None:
    chip = gpu(name)
    seconds = kernel_seconds(Gemm(m, n, k), chip, graphs=True)
    assert seconds > 2 * m * n * k / chip.peak(Precision.BF16)
    assert seconds > 2 * (m * k + k * n + m * n) / chip.hbm_bytes_per_second
    assert seconds > kernel_floor_seconds(chip)


@given(m=SIZES, n=SIZES, k=SIZES, faster=st.floats(1.0, 4.0))
def test_more_bandwidth_is_never_slower(m: int, n: int, k: int, faster: float) -> None:
    chip = gpu()
    quick = chip.model_copy(update={"hbm_bytes_per_second": chip.hbm_bytes_per_second * faster})
    for kernel in (Gemm(m, n, k), Pointwise(m * n, k), Attention("decode", 1 + m % 64, 32, 8, 1, n, 128)):
        assert kernel_seconds(kernel, quick, True) <= kernel_seconds(kernel, chip, True) * (1 + 1e-12)


def test_a_long_product_with_a_small_result_is_split() -> None:
    """One tile of 128 x 128 would leave 131 SMs idle for the whole of k."""
    chip = gpu()
    seconds = kernel_seconds(Gemm(128, 128, 65536), chip, graphs=True)
    one_sm = 2 * 128 * 128 * 65536 * chip.sms / (chip.peak(Precision.BF16))
    assert seconds < one_sm / 4


def test_one_row_more_than_a_wave_costs_a_wave_where_no_other_tile_serves() -> None:
    chip = gpu()
    full, over = (kernel_seconds(Gemm(m, 12 * 256, 16384), chip, True) for m in (11 * 128, 11 * 128 + 1))
    assert over > 1.02 * full


def test_a_large_product_is_as_measured_on_an_h200() -> None:
    """8192^3 in bf16 ran at 769 to 798 TFLOP/s on an H200; it has no calibration of its own."""
    rate = Gemm(8192, 8192, 8192).flops / kernel_seconds(Gemm(8192, 8192, 8192), gpu("h200"), True) / 1e12
    assert 769 * 0.95 < rate < 798 * 1.05


def test_a_copy_is_as_measured_on_an_h200() -> None:
    """A copy from memory to memory ran at 4.3 TB/s, read and written, on an H200."""
    moved = 2**33
    rate = moved / kernel_seconds(Pointwise(moved // 2, moved // 2), gpu("h200"), True) / 1e12
    assert abs(rate / 4.3 - 1) < 0.1


def test_many_shapes_at_once_take_what_each_takes() -> None:
    shapes = [(1, 4096, 4096, 1), (300, 1000, 77, 3), (8192, 8192, 8192, 1)]
    seconds = shapes_seconds(np.array(shapes, dtype=np.float64), Precision.BF16, 2, gpu())
    one_by_one = [kernel_seconds(Gemm(m, n, k, batch), gpu(), True) for m, n, k, batch in shapes]
    np.testing.assert_allclose(seconds, one_by_one, rtol=1e-12)


def test_a_kernel_launched_by_the_host_takes_at_least_a_launch() -> None:
    chip = gpu()
    tiny, large = Pointwise(4, 4), Gemm(8192, 8192, 8192)
    assert kernel_seconds(tiny, chip, graphs=False) == chip.launch_seconds > kernel_seconds(tiny, chip, True)
    assert kernel_seconds(large, chip, graphs=False) == kernel_seconds(large, chip, True)


def test_fp8_halves_what_a_skinny_product_reads() -> None:
    chip = gpu()
    wide, narrow = (
        kernel_seconds(Gemm(1, 16384, 16384, precision=p), chip, True)
        for p in (Precision.BF16, Precision.FP8)
    )
    assert 0.5 < narrow / wide < 0.6


def test_adding_to_gradients_moves_more_bytes() -> None:
    chip = gpu()
    plain, added = (
        kernel_seconds(Gemm(8192, 8192, 64, accumulate=flag), chip, True) for flag in (False, True)
    )
    assert added > plain


@pytest.mark.parametrize(
    ("queries", "keys", "causal", "steps", "longest"),
    [
        (128, 128, True, 1, 1),
        (256, 256, True, 3, 2),
        (256, 256, False, 4, 2),
        (128, 1024, True, 8, 8),
        (1, 1000, True, 8, 8),
        (129, 129, True, 3, 2),
    ],
)
def test_tiles_of_queries_stop_at_their_last_key(
    queries: int, keys: int, causal: bool, steps: int, longest: int
) -> None:
    kernel = Attention("forward", 1, 1, 1, queries, keys, 128, causal=causal)
    assert tile_steps(kernel) == (steps, longest)


def decode(batch: int, heads: int, kv_heads: int, keys: int) -> Attention:
    return Attention("decode", batch, heads, kv_heads, 1, keys, 128)


def test_tensorrt_llm_shares_keys_where_blocks_suffice_and_groups_are_not_too_large() -> None:
    chip = gpu("h100")
    assert decode_launch(decode(1, 32, 1, 4096), chip) == DecodeLaunch(32, 32, shared=False)
    assert decode_launch(decode(1, 32, 1, 8192), chip) == DecodeLaunch(1, 64, shared=True)
    assert decode_launch(decode(64, 64, 1, 1024), chip).shared is False  # 64 heads are too many
    assert decode_launch(decode(64, 32, 8, 4096), chip) == DecodeLaunch(512, 2, shared=True)  # eight waves


def test_flash_attention_fills_two_blocks_an_sm_and_splits_only_shared_keys() -> None:
    chip = gpu("a100")
    assert decode_launch(decode(1, 8, 8, 32768), chip) == DecodeLaunch(8, 1, shared=False)
    assert decode_launch(decode(256, 8, 1, 4096), chip) == DecodeLaunch(256, 1, shared=True)
    launch = decode_launch(decode(1, 32, 8, 8192), chip)
    assert launch.shared
    assert 1 < launch.parts <= 64


def test_a_prefill_writes_the_cache_and_a_forward_pass_does_not() -> None:
    prefill, forward = (
        kernel_seconds(Attention(phase, 4, 32, 8, 2048, 2048, 128), gpu(), True)
        for phase in ("prefill", "forward")
    )
    assert prefill > forward


def test_the_gradient_of_attention_takes_more_than_twice_its_forward_pass() -> None:
    forward, backward = (
        kernel_seconds(Attention(phase, 4, 32, 32, 4096, 4096, 128), gpu(), True)
        for phase in ("forward", "backward")
    )
    assert 2.4 < backward / forward < 3.5


def test_quantisation_takes_three_kernels_and_its_passes() -> None:
    chip = gpu()
    assert kernel_seconds(Quantize(1), chip, True) == pytest.approx(3 * kernel_floor_seconds(chip), rel=1e-3)
    moved = 5e8
    assert kernel_seconds(Quantize(10**8), chip, True) > stream_seconds(moved, chip)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Gemm(0, 1, 1),
        lambda: Attention("decode", 1, 8, 3, 1, 16, 128),
        lambda: Attention("prefill", 1, 8, 8, 32, 16, 128),
        lambda: Pointwise(-1, 0),
        lambda: Quantize(0),
    ],
)
def test_kernels_without_meaning_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"at least one|divide|causal|negative"):
        wrong()  # type: ignore[operator]
