"""Blocks of a training program: passes of a stage, put together from layers, the embedding and the head."""

from __future__ import annotations

from wsc.backends.gpu_cluster.instructions import Alloc, Call, Communicate, Free, Instruction, Launch
from wsc.backends.gpu_cluster.kernels import Gemm, Pointwise, Precision
from wsc.backends.gpu_cluster.program import Block
from wsc.backends.gpu_cluster.transformer.layer import LayerWriter
from wsc.backends.gpu_cluster.transformer.schedule import Pass
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.stages import Stage

_VERB = {"F": "forward", "B": "backward", "I": "backward to inputs", "W": "backward to weights"}
EMBEDDING, LAYER, HEAD = "embedding", "layer", "head"


class Blocks:
    """The blocks that a program has called for, each made once."""

    def __init__(self, shape: TransformerShape, plan: Parallelism) -> None:
        self.shape = shape
        self.plan = plan
        self._made: dict[str, Block] = {}

    def made(self) -> tuple[Block, ...]:
        """All of them; a block comes after those that it calls."""
        return tuple(self._made.values())

    def keep(self, name: str, body: tuple[Instruction, ...]) -> str:
        """Add a block that is made elsewhere, once; returns its name."""
        self._made.setdefault(name, Block(name, body))
        return name

    def part(self, what: str, kind: Pass) -> str:
        """The name of the block of a layer, the embedding or the head."""
        name = f"{what} {_VERB[kind]}"
        if name not in self._made:
            body = _MAKERS[what](self, kind)
            self._made[name] = Block(name, body)
        return name

    def stage(self, stage: Stage, kind: Pass) -> str:
        """The name of the block of a whole stage."""
        calls = [Call(self.part(what, kind), times) for what, times in parts_of(stage, kind)]
        if len(calls) == 1 and calls[0].times == 1:
            return calls[0].block
        name = f"{stage.name} {_VERB[kind]}"
        if name not in self._made:
            self._made[name] = Block(name, tuple(calls))
        return name

    def layer(self, kind: Pass) -> tuple[Instruction, ...]:
        """One layer's pass."""
        if kind == "F":
            return LayerWriter(self.shape, self.plan).forward()
        again: tuple[Instruction, ...] = ()
        if self.plan.recompute == "full" and kind != "W":
            again = (Call(self.part(LAYER, "F")),)
        backward = LayerWriter(self.shape, self.plan).backward()
        return again + _half(backward, kind)

    def embedding(self, kind: Pass) -> tuple[Instruction, ...]:
        """Rows of the embedding, which is cut by rows over the tensor group."""
        writer = LayerWriter(self.shape, self.plan)
        bytes = writer.residual_bytes
        if kind == "F":
            writer.stream("embedding", bytes, bytes)
            writer.sum_partials("embedding.sum")
        else:
            writer.gather_tokens("embedding.gather")
            writer.stream("embedding.weight_gradient", 3 * bytes, 2 * bytes)
        return _half(tuple(writer.body), kind)

    def head(self, kind: Pass) -> tuple[Instruction, ...]:
        """The last norm, the output embedding (cut by columns over the tensor group) and the loss."""
        writer = LayerWriter(self.shape, self.plan)
        tokens, hidden = writer.size.tokens, self.shape.hidden
        columns = self.shape.vocab // self.plan.tensor
        own, logits = writer.own_bytes, 4 * tokens * columns
        precision = Precision.BF16 if self.plan.precision is Precision.FP8 else self.plan.precision
        if kind == "F":
            writer.stream("head.norm", own, own)
            writer.gather_tokens("head.gather")
            writer.body.append(Launch(Gemm(tokens, columns, hidden, 1, precision), "head.logits"))
            writer.stream("loss.cast", logits // 2, logits)
            writer.stream("loss.largest", logits, 0)
            writer.stream("loss.shift", logits, logits)
            writer.stream("loss.exp", logits, logits)
            writer.stream("loss.sum", logits, 0)
            writer.stream("loss.divide", logits, logits)
            for what in ("largest", "target", "sum"):
                writer.collective("all_reduce", 4 * tokens, "tensor", f"loss.{what}.reduce")
        else:
            writer.stream("loss.gradient", logits, logits)
            writer.stream("loss.gradient.cast", logits, logits // 2)
            writer.body.append(Launch(Gemm(tokens, hidden, columns, 1, precision), "head.logits.gradient"))
            writer.sum_partials("head.sum")
            weights = Gemm(hidden, columns, tokens, 1, precision, accumulate=True)
            writer.body.append(Launch(weights, "head.logits.weight_gradient"))
            writer.stream("head.norm.gradient", 2 * own, own)
            writer.sum_norm("head.norm")
        return _half(tuple(writer.body), kind)


_MAKERS = {EMBEDDING: Blocks.embedding, LAYER: Blocks.layer, HEAD: Blocks.head}


def parts_of(stage: Stage, kind: Pass) -> list[tuple[str, int]]:
    """(part, how many) of a stage in the order in which a pass goes through them."""
    parts = [(EMBEDDING, int(stage.embedding)), (LAYER, stage.layers), (HEAD, int(stage.head))]
    kept = [(what, times) for what, times in parts if times]
    return kept if kind == "F" else kept[::-1]


def _half(body: tuple[Instruction, ...], kind: Pass) -> tuple[Instruction, ...]:
    """Of a backward pass the part for weights, or all the rest, or both."""
    if kind in ("F", "B"):
        return body
    return tuple(i for i in body if _is_kept(i, kind))


def _is_kept(instruction: Instruction, kind: Pass) -> bool:
    if isinstance(instruction, Launch):
        return instruction.label.endswith(("weight_gradient", "bias_gradient")) == (kind == "W")
    if isinstance(instruction, Communicate):
        gathers = instruction.event == "inputs"  # inputs that only gradients of weights read
        return gathers == (kind == "W")
    if isinstance(instruction, Alloc | Free):
        return kind == "I"
    waits_for_inputs = getattr(instruction, "after", ()) == ("inputs",)
    return waits_for_inputs == (kind == "W")


def pointwise(label: str, read: int, written: int) -> Launch:
    """A kernel that streams memory."""
    return Launch(Pointwise(read, written), label)


def embedding_parameters(shape: TransformerShape, plan: Parallelism) -> int:
    """Parameters of an embedding on one rank."""
    return shape.vocab // plan.tensor * shape.hidden
