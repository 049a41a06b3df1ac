"""The arguments and options of the commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from wsc.compiler.errors import UserError

ModelFile = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A file that defines model() and example_inputs(), or FILE:factory; hf:NAME or hf:FOLDER for a "
        "configuration of transformers or diffusers.",
    ),
]
BuildFolder = Annotated[
    Path | None, typer.Argument(metavar="BUILD", help="A build folder. [default: the last in build/]")
]
Machine = Annotated[
    str,
    typer.Option("--target", "-t", metavar="NAME", help="A machine (see `wsc targets`) or a machine file."),
]
OtherMachine = Annotated[
    str | None,
    typer.Option(
        "--machine", "-m", metavar="NAME", help="Another machine or machine file. [default: the build's]"
    ),
]
Define = Annotated[
    list[str] | None,
    typer.Option(
        "--define", "-D", metavar="KEY=VALUE", help="A keyword argument for the factory; may be repeated."
    ),
]
Phase = Annotated[
    str | None,
    typer.Option(
        "--phase",
        metavar="PHASE",
        help="prefill or decode, for models that generate token by token; "
        "serve for both, and what lies between them (compile alone).",
    ),
]
Batch = Annotated[int | None, typer.Option("--batch", metavar="N", min=1, help="Inputs taken at once.")]
Context = Annotated[
    int | None,
    typer.Option("--context", metavar="N", min=1, help="Positions that keys and values are kept for."),
]
Seq = Annotated[int | None, typer.Option("--seq", metavar="N", min=1, help="Tokens in the input.")]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        help="pipeline, sequential or streaming: how a wafer runs the model. [default: by memory and time]",
    ),
]
GridSize = Annotated[
    str | None, typer.Option("--grid", metavar="WxH", help="Columns and rows of cores to run on.")
]
Wafers = Annotated[
    int | None, typer.Option("--wafers", metavar="N", min=1, help="Wafers, with the layers shared out.")
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch the configuration of hf:NAME where it is not cached.")
]
DType = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="TYPE",
        help="fp32, fp16, bf16; fp8 for weights; int8 or int16 for products by weights, float for none of these.",
    ),
]
WeightsDType = Annotated[
    str, typer.Option("--weights-dtype", metavar="TYPE", help="What weights alone are stored in.")
]
Overrides = Annotated[
    Path | None,
    typer.Option(
        "--dtype-overrides",
        metavar="FILE",
        help="TOML: patterns of weights' names, each with a type or keep.",
    ),
]
ExpertLoad = Annotated[
    Path | None,
    typer.Option(
        "--expert-load",
        metavar="FILE",
        help="TOML: patterns of modules with experts, each with its experts' shares of the rows. [default: uniform]",
    ),
]
IsTraining = Annotated[
    bool, typer.Option("--training", help="Compile a training step: forward, backward and optimizer.")
]
Optimizer = Annotated[
    str | None,
    typer.Option("--optimizer", metavar="NAME", help="adamw, sgd, or none for gradients. [default: adamw]"),
]
Accumulate = Annotated[
    int | None,
    typer.Option("--accumulate", metavar="N", min=1, help="Inputs whose gradients are summed for a step."),
]
Recompute = Annotated[
    bool, typer.Option("--recompute", help="Compute each layer's activations again in the backward pass.")
]
OutputFolder = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="The build folder. [default: build/NAME]"),
]
OutputArrays = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the outputs to this .npz file.")
]
OutputPictures = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="For the pictures. [default: BUILD/maps]"),
]
InputArrays = Annotated[
    Path | None,
    typer.Option(
        "--input", "-i", metavar="FILE", help="A .npz file of inputs. [default: the example inputs]"
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        "-l",
        metavar="NAME",
        help="sram, kernel, util, link, energy, temperature, or a name that the build has; may be repeated. "
        "[default: every layer]",
    ),
]
Format = Annotated[str, typer.Option("--format", "-f", metavar="KIND", help="png or svg.")]
Terminal = Annotated[
    bool, typer.Option("--terminal/--no-terminal", help="Draw coarsely in the terminal too.")
]
AlgorithmName = Annotated[
    str | None, typer.Argument(metavar="NAME", help="An algorithm. [default: list all]", show_default=False)
]
Extent = Annotated[int | None, typer.Option(help="See the list of algorithms.")]
Analog = Annotated[
    bool, typer.Option("--analog", help="With converters, noise and drift; compute in memory alone.")
]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, help="Of what is drawn at random. [default: 0]")
]
AdcBits = Annotated[
    int | None,
    typer.Option(
        "--adc-bits", metavar="N", min=1, max=24, help="Converters of so many bits. [default: the machine's]"
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option("--seconds", metavar="S", min=0, help="Time since the cells were programmed. [default: 0]"),
]
Calibrate = Annotated[
    str | None,
    typer.Option(
        "--calibrate",
        metavar="FILE",
        help="Set converters' ranges by the inputs in this .npz file, or by `examples`. [default: full scale]",
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels", metavar="FILE", help="A .npy file with the right place of each row's largest score."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Level = Annotated[
    str,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="fast, or cycle: every cycle and word, with the data, on small fabrics.",
    ),
]


def only_with(option: str, given: Mapping[str, object]) -> None:
    """Raise UserError for options that mean nothing without another one."""
    names = ", ".join(f"--{name}" for name, value in given.items() if value is not None)
    if names:
        raise UserError(f"{names}: only with --{option}.")


def sizes(phase: str | None, batch: int | None, context: int | None, seq: int | None) -> list[str]:
    """The options that models which generate token by token take, as -D gives them."""
    sizes = {"phase": phase, "batch": batch, "context": context, "seq": seq}
    return [f"{key}={value}" for key, value in sizes.items() if value is not None]
