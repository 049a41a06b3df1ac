"""Constants of the cost models: at most ten a GPU, fitted on microbenchmarks, and those that all GPUs share."""

from __future__ import annotations

from pydantic import Field

from wsc.compiler.machine import Part, Rate

MOST_A_GPU = 10


class Calibration(Part):
    """What a data sheet does not say of a GPU."""

    tensor_efficiency: Rate  # of the matrix units' peak, in the inner loop of a product
    hbm_efficiency: Rate  # of the memory's peak bandwidth, in a long stream
    stream_seconds_per_root_megabyte: Rate  # ragged ends of a stream, growing with the root of its bytes
    tile_seconds: Rate  # fill and drain of one wave of tiles
    attention_efficiency: Rate  # of the matrix units' peak, in the inner loop of fused attention
    attention_floor_seconds: Rate  # fused attention of next to nothing
    attention_block_seconds: Rate  # one wave of blocks of a decode kernel, without its keys and values
    collective_floor_seconds: Rate  # start and end of a collective's kernel
    collective_step_seconds: Rate  # from one GPU to the next within a domain
    nvlink_efficiency: Rate  # of the links' peak bandwidth, in a long stream


class Products(Part):
    """Of matrix products."""

    floor_seconds: Rate  # of any kernel in a CUDA graph
    l2_efficiency: Rate  # of the L2's peak bandwidth, loading tiles
    copy_rate: Rate  # of a stream of reads that the memory keeps up where as much is written
    overlap_power: Rate  # arithmetic and memory overlap: the p of their p-norm
    split_seconds: Rate  # the second kernel that adds the parts of a product split over k
    quantize_bytes_per_element: Rate  # memory moved to scale a tensor to fp8 by its largest element
    power_loss: (
        Rate  # that the limit adds to an endless product's arithmetic, for a TFLOP/s (bf16) of peak a watt
    )
    power_seconds: Rate  # of busy matrix units, until the clock has come down to that limit


class AttentionKernels(Part):
    """Of one library's fused attention."""

    prefill_floor: Rate  # times attention_floor_seconds
    preprocess_passes: (
        Rate  # over queries, keys and values before a prefill: rotary embedding, writing the cache
    )
    tail: Rate  # of half the longest block, waited for at the end of several waves
    head_block: Rate  # a block of one query head, over one that shares keys among heads
    shared_bytes_per_second: Rate  # keys and values that a block streams, heads sharing them
    head_bytes_per_second: Rate  # the same of a block of one query head
    first_wave: Rate  # share of a wave of decode blocks that the floor leaves of the first one
    combine_seconds: Rate  # the second kernel that joins the parts of a split sequence
    overlap_power: Rate


class Collectives(Part):
    """Of NCCL's kernels; times a GPU's own floor or rate where no unit is given."""

    ramp_bytes_per_rank: Rate  # where a collective leaves the least number of channels
    ramp: Rate  # what more channels add to the latency
    ll_rate: Rate  # of NCCL's own figure for the protocol
    own_copy: Rate  # of a rank's own part from one buffer to the other, over sending as much
    ll128_latency: Rate
    ll128_work: Rate  # time for each byte, over that of the simple protocol
    simple_latency: Rate
    simple_growth: Rate  # of the pipeline's fill: this floor x (microseconds of work) ^ growth_power
    growth_power: Rate
    nvls_work: Rate
    nvls_latency: Rate
    nvls_growth: Rate
    pairs_floor_seconds: Rate  # all_to_all and sends
    pairs_step_seconds: Rate
    pairs_ll_bytes_per_second: Rate
    pairs_simple_seconds: Rate
    pairs_growth: Rate
    custom_floor: Rate  # one-shot all-reduce of a serving library, over collective_floor_seconds
    custom_rate: Rate


class Common(Part):
    """The shared constants."""

    products: Products
    attention: dict[str, AttentionKernels] = Field(min_length=1)
    collectives: Collectives
