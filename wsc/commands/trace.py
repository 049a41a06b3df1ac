"""`wsc trace`."""

from __future__ import annotations

from pathlib import Path

from wsc.build import read_build
from wsc.commands.console import chosen_build, for_people, print_json, stages
from wsc.compiler.errors import BuildError, UserError
from wsc.reports.perfetto import chrome_json, perfetto_trace
from wsc.simulation.timeline import Timeline, at_most

FILES = {"perfetto": "timeline.perfetto-trace", "json": "timeline.json"}


def trace_build(
    folder: Path | None, inputs: int, format: str, most: int, output: Path | None, json: bool
) -> None:
    """Write what happens when in the first inputs of a run, for ui.perfetto.dev or chrome://tracing."""
    if format not in FILES:
        raise UserError(f"A timeline is written as {' or '.join(FILES)}, not '{format}'.")
    path = chosen_build(folder)
    with stages() as stage:
        stage("reading the build")
        build = read_build(path)
        stage(f"simulating {inputs} inputs")
        found = build.selection.target.timeline(build.program, build.selection.machine, inputs)
        if found is None:
            raise UserError(f"The target '{build.selection.target.name}' does not say what happens when.")
        stage("writing the timeline")
        shown = at_most(found, most)
        file = _write(shown, format, output or path / FILES[format])
    if json:
        counts = {"tracks": len(shown.tracks), "spans": shown.spans, "all_spans": found.spans}
        print_json({"build": str(path), "file": str(file), **counts})
        return
    fewer = f", {found.spans:,} put together into" if shown.spans < found.spans else ""
    told = f"wrote {file}{fewer} {shown.spans:,} spans: open it at https://ui.perfetto.dev"
    for_people().print(told, soft_wrap=True, markup=False, highlight=False)


def _write(timeline: Timeline, format: str, file: Path) -> Path:
    try:
        content = perfetto_trace(timeline) if format == "perfetto" else chrome_json(timeline).encode()
    except ImportError as error:
        raise UserError(
            "This form needs the package perfetto (pip install 'wsc[trace]'); --format json does not."
        ) from error
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BuildError(f"Cannot write the timeline {file}: {error.strerror or error}.") from error
    return file
