"""Layers of a training graph are found forwards, backwards and in their updates, however many there are."""

from functools import cache

import pytest

from tests.compiler.test_repeated import check
from tests.frontend.test_training import trained
from wsc.compiler.ir.graph import Graph
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.repeated import Block, entries_to_say, repeated_blocks
from wsc.frontend.training import Trained
from wsc.frontend.training_step import Recipe, training_programs

LAYERS = (3, 5)


@cache
def captured(name: str, layers: int) -> Trained:
    return trained(name, layers=str(layers))


def step_of(name: str, layers: int, optimizer: str) -> Graph:
    (program,) = training_programs(captured(name, layers), Recipe(optimizer))
    return run_pipeline(program.model, program.passes).graph


def large(blocks: tuple[Block, ...]) -> list[Block]:
    return [block for block in blocks if block.repeat.length > 20]


@pytest.mark.parametrize("name", ["gpt2", pytest.param("llama", marks=pytest.mark.slow)])
@pytest.mark.parametrize("optimizer", ["none", "adamw"])
def test_what_is_distinct_does_not_grow_with_the_layers(name: str, optimizer: str) -> None:
    few, many = (step_of(name, layers, optimizer) for layers in LAYERS)
    assert len(many.nodes) > 1.4 * len(few.nodes)
    told = [repeated_blocks(graph) for graph in (few, many)]
    assert entries_to_say(few, told[0]) == entries_to_say(many, told[1])
    for graph, blocks, layers in zip((few, many), told, LAYERS, strict=True):
        check(graph)
        ahead, back, *updates = large(blocks)
        assert ahead.repeat.count == back.repeat.count == layers
        assert back.relations
        assert all(relation.direction == -1 for relation in back.relations)
        assert (0, layers - 1, -1) in [(r.block, r.first, r.direction) for r in back.relations]
        assert len(updates) == (optimizer == "adamw")
