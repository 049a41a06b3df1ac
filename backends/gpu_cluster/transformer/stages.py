"""Which layers each stage of a pipeline has."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.backends.gpu_cluster.transformer.shape import TransformerShape


@dataclass(frozen=True)
class Stage:
    """A run of layers, with the embedding before them or the head behind them."""

    layers: int
    embedding: bool = False
    head: bool = False

    @property
    def name(self) -> str:
        """What it is made of, in words."""
        parts = (
            ["embedding"] * self.embedding
            + [f"{self.layers} layers"] * bool(self.layers)
            + ["head"] * self.head
        )
        return " + ".join(parts)


def even_stages(shape: TransformerShape, count: int) -> tuple[Stage, ...]:
    """Stages of equally many layers; where they do not divide, the embedding and the head count as one layer each.

    Llama 3's 126 layers in 16 stages are 7, 8, ..., 8, 7. What is still left goes to the stages in the middle.
    """
    if shape.layers % count == 0:
        layers = [shape.layers // count] * count
    else:
        base, more = divmod(shape.layers + 2, count) if count > 1 else (shape.layers, 0)
        layers = [base] * count
        if count > 1:
            layers[0] -= 1
            layers[-1] -= 1
        first = (count - more) // 2
        for stage in range(first, first + more):
            layers[stage] += 1
    return stages_of(layers)


def stages_of(layers: list[int]) -> tuple[Stage, ...]:
    """Stages with these numbers of layers."""
    last = len(layers) - 1
    return tuple(Stage(n, i == 0, i == last) for i, n in enumerate(layers))
