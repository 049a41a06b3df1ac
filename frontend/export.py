"""torch.export, with its noise kept down and its errors turned into ours."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stderr, suppress
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._decomp import decomposition_table
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.utils import _pytree as pytree

from wsc.compiler.errors import ModelError, UnsupportedModel
from wsc.frontend.arguments import Arguments
from wsc.frontend.expand import expand
from wsc.frontend.known_values import KnownValues
from wsc.frontend.lower import lowered_targets
from wsc.frontend.masked_rows import MaskedRows
from wsc.frontend.places import place_in_traceback, said_by
from wsc.frontend.repeats import Repeats
from wsc.frontend.row_rules import RowsTogether
from wsc.frontend.scans import scans_kept
from wsc.frontend.tensors import has_data

# torch 2.13 warns about its own use of its own class, and about what its own recurrent modules do.
_NOISE = (r"`isinstance\(treespec, LeafSpec\)` is deprecated", r"The tensor attributes self.*_flat_weights")

_SMALL = 1024  # elements of a buffer that may hold sizes and switches
_LEAVES = (
    torch.Tensor,
    torch.SymInt,
    torch.SymFloat,
    torch.SymBool,
    int,
    float,
    bool,
    str,
)  # export takes these


def export_program(module: nn.Module, arguments: Arguments, name: str) -> ExportedProgram:
    """The module as a functional ATen program in which every operation that we lower is whole.

    Layers that are provably the same are captured once. Raises ModelError with what torch said and where in the user's
    code, UnsupportedModel for rows of which no program can say how many there are.
    """
    repeats = Repeats.of(module)
    # Whatever stands in the way, capturing as usual either gets over it or says what it is.
    if repeats.groups:
        with suppress(Exception), repeats.captured_once():
            program = _exported(module, arguments)
            expand(program, repeats)
            return program
    try:
        return _exported_by_values(module, arguments)
    except GuardOnDataDependentSymNode as error:
        place = place_in_traceback(error.__traceback__)
        raise ModelError(
            f"{place}: the control flow of '{name}', or a shape in it, depends on the values of its tensors, but a "
            "program has one flow and fixed shapes. Compute both branches and choose with torch.where, or decide "
            f"outside of the model. torch says: {str(error).split(' (unhinted')[0]}."
        ) from error
    except RowsTogether as error:
        place = place_in_traceback(error.__traceback__)
        where = f"{place}: " if place.file else ""
        raise UnsupportedModel(f"{where}{error} That is in '{name}'.") from error
    except Exception as error:
        run_once(module, arguments, name)
        raise ModelError(
            f"{said_by(error)} So torch.export cannot capture '{name}' called with {arguments}."
        ) from error


def _exported_by_values(module: nn.Module, arguments: Arguments) -> ExportedProgram:
    """The program; where a module decides by what its buffers hold, as sizes and switches, by what they hold now."""
    try:
        program = _exported_either_way(module, arguments)
        return _reads_no_value(module, arguments, program)
    except GuardOnDataDependentSymNode as error:
        try:
            program = _exported(module, arguments, by_buffers=True)
        except Exception:  # the first one says more
            raise error from None
        if program.graph_signature.buffers_to_mutate:  # the next call would decide by something else
            raise
        return program


def _reads_no_value(module: nn.Module, arguments: Arguments, program: ExportedProgram) -> ExportedProgram:
    """The program, or, where it takes a number out of a tensor, the one by what buffers hold if that takes none."""
    if not _reads_values(program):
        return program
    try:
        by_buffers = _exported(module, arguments, by_buffers=True)
    except Exception:  # what the first one reads is told when it is lowered
        return program
    unchanged = not by_buffers.graph_signature.buffers_to_mutate and not _reads_values(by_buffers)
    return by_buffers if unchanged else program


def _reads_values(program: ExportedProgram) -> bool:
    return any(node.target is torch.ops.aten._local_scalar_dense.default for node in program.graph.nodes)


def _exported_either_way(module: nn.Module, arguments: Arguments) -> ExportedProgram:
    """The program; of a module that takes a way of its own under export, and fails on it, that of the usual way."""
    try:
        return _exported(module, arguments)
    except Exception as error:
        if isinstance(error, RowsTogether):
            raise
        try:
            with _taken_for_eager():
                return _exported(module, arguments)
        except GuardOnDataDependentSymNode:
            raise
        except Exception:  # the first one says more
            raise error from None


@contextmanager
def _taken_for_eager() -> Iterator[None]:
    """Where a module asks whether it is compiled or exported, it is not."""
    with ExitStack() as stack:
        for name in ("is_compiling", "is_exporting", "is_dynamo_compiling"):
            stack.enter_context(patch.object(torch.compiler, name, lambda: False))
        yield


@contextmanager
def _conversions_left_out() -> Iterator[None]:
    """A module that is converted to the type and place it has is left alone; export cannot swap its weights."""
    convert: Callable[..., nn.Module] = nn.Module._apply

    def apply(module: nn.Module, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        tensors = [*module.parameters(recurse), *module.buffers(recurse)]
        same = all((fn(t).dtype, fn(t).device) == (t.dtype, t.device) for t in tensors)
        return module if same else convert(module, fn, recurse)

    with patch.object(nn.Module, "_apply", apply):
        yield


def _exported(module: nn.Module, arguments: Arguments, by_buffers: bool = False) -> ExportedProgram:
    args, kwargs = arguments.filled(arguments.tensors)
    known = KnownValues()
    rows = MaskedRows(known.is_known)
    held = _buffers_known(module, known) if by_buffers else nullcontext()
    with torch.no_grad(), quiet(), scans_kept(), _tensors_only(module, rows.check), held:
        with known, rows, _conversions_left_out():
            program = torch.export.export(module, args, kwargs, strict=False)
        return program.run_decompositions(decompositions())  # type: ignore[no-any-return]


def decompositions() -> dict[torch._ops.OperatorBase, Callable[..., Any]]:
    """How torch takes operations apart that we do not lower; into its core set, and where need be beyond it."""
    core: dict[Any, Any] = dict(torch.export.default_decompositions().items())
    further = {op: rule for op, rule in decomposition_table.items() if _is_functional(op)}
    lowered = lowered_targets()
    return {op: rule for op, rule in (further | core).items() if str(op) not in lowered}


def _is_functional(op: object) -> bool:
    """Whether a call changes no argument, and no part of it ends in a call that does (as of views of copies)."""
    return (
        isinstance(op, torch._ops.OpOverload)
        and not op._schema.is_mutable
        and not op._schema.name.endswith(("_copy", "_scatter"))
    )


def run_once(module: nn.Module, arguments: Arguments, name: str) -> None:
    """Raise ModelError if the module itself does not run on its example inputs.

    Export lets some mistakes pass, and says less about others. Does nothing where there is no data to run on.
    """
    tensors = [*module.parameters(), *module.buffers(), *arguments.tensors]
    if not all(map(has_data, tensors)):
        return
    args, kwargs = arguments.filled([tensor.clone() for tensor in arguments.tensors])
    try:
        with torch.no_grad():
            module(*args, **kwargs)
    except Exception as error:
        raise ModelError(
            f"{said_by(error)} So '{name}' does not run on its example inputs {arguments}."
        ) from error


@contextmanager
def _buffers_known(module: nn.Module, known: KnownValues) -> Iterator[None]:
    """While a module is exported: small buffers that have data are known."""
    values = {key: buffer.clone() for key, buffer in module.named_buffers() if _is_small(buffer)}

    def hold(called: nn.Module, _args: object) -> None:
        for key, buffer in called.named_buffers():
            if key in values:
                known.hold(buffer, values[key])

    handle = module.register_forward_pre_hook(hold)
    try:
        yield
    finally:
        handle.remove()


def _is_small(buffer: Tensor) -> bool:
    return has_data(buffer) and buffer.numel() <= _SMALL


@contextmanager
def _tensors_only(module: nn.Module, check: Callable[[object], None]) -> Iterator[None]:
    """While a module is exported: objects in its result that torch cannot take apart, such as a cache, are left out.

    `check` sees the result as it is.
    """

    def strip(_module: nn.Module, _args: object, result: object) -> object:
        check(result)
        return pytree.tree_map(lambda leaf: leaf if isinstance(leaf, _LEAVES) else None, result)

    handle = module.register_forward_hook(strip)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch logs and prints about errors that we report; standard error is kept if all goes well."""
    said, level = io.StringIO(), logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stderr(said):
            for noise in _NOISE:
                warnings.filterwarnings("ignore", noise)
            yield
    finally:
        logging.disable(level)
    sys.stderr.write(said.getvalue())
