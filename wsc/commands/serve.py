"""`wsc compile --phase serve`: a prompt's program, a token's, and the relayout between them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsc.backends.registry import Selection, select
from wsc.build import write_build
from wsc.commands.console import DEFAULT_FOLDER, for_people, print_json, stages
from wsc.commands.report import FILE as PAGE
from wsc.commands.report import write_page
from wsc.commands.source import Request
from wsc.commands.summary import result_row, summary_json
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.graph import Graph
from wsc.compiler.quantities import format_bytes, format_cycles, format_percent, format_rate, format_seconds
from wsc.driver import Stage
from wsc.folder import check_place
from wsc.precision import Wanted
from wsc.reports.tables import summary_panel
from wsc.serving import Served, serve
from wsc.store import add_row, store_of


def serve_file(
    request: Request,
    target: str,
    *,
    wanted: Wanted,
    asked: Mapping[str, object] | None = None,
    output: Path | None = None,
    page: bool = True,
    json: bool = False,
) -> None:
    """Compile both phases of a model; write the build folders FOLDER.prefill, .relayout and .decode; print figures."""
    selection = select(target)
    given = {key: str(value) for key, value in (asked or {}).items() if value is not None}
    selection = replace(selection, target=selection.target.configured(given))
    if output is not None:
        check_place(output)
    with stages() as stage, redirect_stdout(sys.stderr):  # what the model prints is not our result
        served, folder = _served(request, selection, wanted, output, stage)
        folders = {name: folder.with_name(f"{folder.name}.{name}") for name in served.builds}
        for place in folders.values():
            check_place(place)
        for name, build in served.builds.items():
            stage(f"writing {folders[name]}")
            write_build(build, folders[name])
            add_row(store_of(folders[name]), result_row(build, folders[name]))
            if page:
                write_page(build, folders[name] / PAGE)
    if json:
        found = {name: summary_json(build, folders[name]) for name, build in served.builds.items()}
        print_json({"serving": serving_json(served), **found})
        return
    _print(served, folders)


def _served(
    request: Request, selection: Selection, wanted: Wanted, output: Path | None, stage: Stage
) -> tuple[Served, Path]:
    precision, integers = wanted.for_machine(selection)
    stage("loading PyTorch")
    found, folder = [], output or Path()
    for phase in ("prefill", "decode"):
        one = replace(request, options={**request.options, "phase": phase})
        stage(f"loading {request.spec} for its {phase}")
        source = one.source()
        folder = output or DEFAULT_FOLDER / source.name
        stage(f"capturing the {phase}")
        (captured,) = one.captured(source, precision)
        found.append(captured)
    prompt = _prompt(request, found[0].model.graph)
    try:
        return serve(found[0], found[1], selection, stage, dtype=integers, prompt=prompt), folder
    except DoesNotFit as error:
        more = f"`wsc explain --why-not {request.spec}` with --phase prefill or decode shows what each part needs."
        raise DoesNotFit(f"{error} {more}") from error


def _prompt(request: Request, graph: Graph) -> int:
    """Tokens of the prompt: as asked for; the whole context where it goes in by parts; 0 for what the prefill takes."""
    if seq := request.options.get("seq"):
        return int(seq)
    by_parts = any(n.type.dtype.is_integer and n.type.rank == 1 for n in graph.inputs)
    if not by_parts or not graph.state:
        return 0
    return max(max(graph.inputs[s.input].type.shape) for s in graph.state)


def serving_json(served: Served) -> dict[str, Any]:
    """Figures as numbers."""
    clock = served.decode.trace.clock_hz
    return {
        "prompt_tokens": served.prompt,
        "prefill_cycles": served.prefill_cycles,
        "time_to_first_token_seconds": served.prefill_cycles / clock,
        "prefill_tokens_per_second": served.prompt * clock / served.prefill_cycles,
        "relayout_cycles": served.relayout_cycles,
        "relayout_seconds": served.relayout_cycles / clock,
        "relayout_bytes": _moved_bytes(served),
        "decode_cycles": served.decode_cycles,
        "decode_tokens_per_second": clock / served.decode_cycles,
    }


def _moved_bytes(served: Served) -> int:
    return sum(n.type.bytes for n in served.relayout.graph.nodes) if served.relayout else 0


def _print(served: Served, folders: Mapping[str, Path]) -> None:
    console, decode = for_people(), served.decode
    title = f"{decode.name} on {decode.selection.machine.name}, serving"
    console.print(summary_panel(title, serving_items(served)))
    wrote = ", ".join(str(folder) for folder in folders.values())
    told = f"wrote {wrote}: `wsc simulate`, `wsc inspect` and `wsc explain` look at each"
    console.print(told, soft_wrap=True, markup=False, highlight=False)


def serving_items(served: Served) -> list[tuple[str, str]]:
    """(name, value) in reading order."""
    told, clock = serving_json(served), served.decode.trace.clock_hz
    seconds = format_seconds(told["time_to_first_token_seconds"])
    parts = f", {served.tokens:,} at a time" if served.tokens < served.prompt else ""
    relayout = "none: everything stays where it is"
    if served.relayout:
        share = format_percent(served.relayout_cycles / served.prefill_cycles)
        relayout = (
            f"{format_cycles(served.relayout_cycles)}, {format_seconds(served.relayout_cycles / clock)}"
            f" ({share} of the prompt's), {format_bytes(_moved_bytes(served))} move"
        )
    each = format_cycles(served.decode_cycles)
    return [
        ("prompt", f"{served.prompt:,} tokens{parts}"),
        ("time to first token", f"{seconds}, {format_cycles(served.prefill_cycles)}"),
        ("tokens of a prompt", format_rate(told["prefill_tokens_per_second"], "tokens")),
        ("relayout", relayout),
        ("tokens after it", f"{format_rate(told['decode_tokens_per_second'], 'tokens')}, {each} each"),
        *((f"prefill: {name}", value) for name, value in served.prefill.facts if name in _TOLD),
        *((f"decode: {name}", value) for name, value in served.decode.facts if name in _TOLD),
    ]


_TOLD = ("wafers", "regions", "fullest core", "longest context")
