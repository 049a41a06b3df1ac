"""What the passes of a layer, the embedding and the head are written with: kernels and collectives of one rank."""

from __future__ import annotations

from wsc.backends.gpu_cluster.instructions import COMPUTE, Communicate, Instruction, Launch
from wsc.backends.gpu_cluster.kernels import CollectiveKind, Gemm, Pointwise, Precision
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.sizes import Sizes

# Vector operations of a random number (ten rounds of Philox). Torch's dropout of 1e9 elements takes 4.2 ms on an A100,
# not for its memory's sake: 952.7 GB/s of elements in and out (flagos-ai/FlagGems, pull request 85), at 19.5 TFLOP/s.
_RANDOM_FLOPS = 82
TENSOR = "tensor"  # the stream of collectives that are hidden behind kernels, and the axis they run over


class Writer:
    """Collects the instructions of a block."""

    def __init__(self, shape: TransformerShape, plan: Parallelism) -> None:
        self.shape = shape
        self.plan = plan
        self.size = Sizes(shape, plan)
        self.body: list[Instruction] = []

    def gemm(self, label: str, m: int, n: int, k: int, batch: int = 1, **more: bool) -> None:
        """A product of the layer's precision; a sum of gradients takes a kernel of its own where it is not fused."""
        accumulate, size = more.get("accumulate", False), self.plan.accumulate_bytes
        fused = accumulate and self.plan.fused_accumulation
        self.body.append(Launch(Gemm(m, n, k, batch, self.plan.precision, fused), label))
        if (
            accumulate and not fused and self.plan.gather == "unit"
        ):  # by matrix, a gradient is scattered at once
            self.stream(
                f"accumulate.{label}", (self.plan.element + size) * batch * m * n, size * batch * m * n
            )

    def stream(self, label: str, read: int, written: int, random: int = 0) -> None:
        """A kernel that streams memory, in bytes, and draws random numbers."""
        if read + written:
            self.body.append(Launch(Pointwise(read, written, _RANDOM_FLOPS * random), label))

    def collective(
        self,
        kind: CollectiveKind,
        bytes: int,
        axis: str,
        label: str,
        hidden: str = "",
        after: tuple[str, ...] = (),
    ) -> None:
        """A collective; under the event `hidden`, side by side with kernels. None where the axis has one rank."""
        if self.plan.mesh()[axis] == 1:
            return
        stream = f"{axis} {kind}" if hidden else COMPUTE
        self.body.append(Communicate(kind, bytes, (axis,), label, stream=stream, event=hidden, after=after))

    def cast(self, label: str, tokens: int, width: int) -> None:
        """Quantisation to fp8 with a transposed copy for the gradient, where products run in fp8."""
        if self.plan.precision is Precision.FP8:
            self.stream(f"{label}.cast", self.plan.element * tokens * width, 2 * tokens * width)

    def gather_tokens(self, label: str, hidden: str = "") -> None:
        """Bring a tensor group's tokens together, before matrices cut by columns."""
        if self.plan.sequence:
            self.collective("all_gather", self.residual_bytes, TENSOR, label, hidden)

    def sum_partials(self, label: str, hidden: str = "", after: tuple[str, ...] = ()) -> None:
        """Add up a tensor group's addends, after matrices cut by rows."""
        kind: CollectiveKind = "reduce_scatter" if self.plan.sequence else "all_reduce"
        self.collective(kind, self.residual_bytes, TENSOR, label, hidden, after)

    @property
    def residual_bytes(self) -> int:
        """Bytes of the residual of all tokens that pass a rank."""
        return self.plan.element * self.size.tokens * self.shape.hidden

    @property
    def own_bytes(self) -> int:
        """Bytes of the residual of a rank's own tokens."""
        return self.plan.element * self.size.own_tokens * self.shape.hidden

    def activation(self, tokens: int) -> None:
        size = self.size
        self.stream(
            "feed_forward.activation",
            self.plan.element * tokens * size.up,
            self.plan.element * tokens * size.ffn,
        )

    def activation_backward(self, tokens: int) -> None:
        size = self.size
        read, written = (
            self.plan.element * tokens * (size.up + size.ffn),
            self.plan.element * tokens * size.up,
        )
        self.stream("feed_forward.activation.gradient", read, written)

    def sum_over_tokens(self, label: str, parameters: int) -> None:
        """FSDP2 adds up such gradients over the tensor group at once where gradients are shared out (shard > 1)."""
        plan = self.plan
        if plan.sequence and plan.shard > 1 and not plan.regather:
            self.collective("all_reduce", plan.element * parameters, TENSOR, label)
