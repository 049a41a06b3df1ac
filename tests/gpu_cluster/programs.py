"""Small programs and shapes that several tests use."""

from collections.abc import Sequence

from wsc.backends.gpu_cluster.clusters import cluster_named
from wsc.backends.gpu_cluster.instructions import Communicate, Instruction, Launch
from wsc.backends.gpu_cluster.kernels import Gemm, Pointwise
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Block, Program, RankClass, rank_mesh
from wsc.backends.gpu_cluster.transformer.shape import TransformerShape

MIB = 1 << 20
TINY = TransformerShape("tiny", 4, 32, 64, 4, 2, 64, 16, gated=True, bias=False, rotary=True, tied=False)
SMALL = TransformerShape("small", 16, 1024, 4096, 16, 16, 51200, 1024)
LLAMA_405B = TransformerShape(
    "llama-3-405b", 126, 16384, 53248, 128, 8, 128256, 8192, gated=True, bias=False, rotary=True, tied=False
)


def cluster(name: str = "h100x8") -> Cluster:
    return cluster_named(name)


def program(
    mesh: dict[str, int],
    *bodies: Sequence[Instruction],
    blocks: Sequence[Block] = (),
    where: str = "stage",
    machine: str = "h100x8",
) -> Program:
    """A program without tensors; several bodies are of the classes along an axis."""
    classes = tuple(
        RankClass(((where, i),) if len(bodies) > 1 else (), tuple(body)) for i, body in enumerate(bodies)
    )
    return Program("test", machine, rank_mesh(mesh), 1, True, (), (), tuple(blocks), classes)


def streamed(megabytes: int, label: str = "copy") -> Launch:
    return Launch(Pointwise(megabytes * MIB, 0), label)


def product(size: int = 4096, label: str = "product") -> Launch:
    return Launch(Gemm(size, size, size), label)


def reduced(megabytes: int, *axes: str, **issue: str) -> Communicate:
    return Communicate("all_reduce", megabytes * MIB, axes, "sum", **issue)  # type: ignore[arg-type]
