"""Where in the user's code something happened, from tracebacks and from the stack traces that torch.export keeps."""

from __future__ import annotations

import re
import sysconfig
import traceback
from functools import cache
from pathlib import Path
from textwrap import shorten
from types import TracebackType

import torch

from wsc.compiler.ir.graph import Location

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


def said_by(error: Exception) -> str:
    """Place in the user's code, type and first paragraph of an exception's message, as one sentence."""
    place = place_in_traceback(error.__traceback__)
    message = shorten(str(error).strip().split("\n\n")[0], 300, placeholder=" ...")
    message = f"{type(error).__name__}: {message}" if message else type(error).__name__
    message = message if message.endswith((".", "!", "?")) else f"{message}."
    return f"{place.file}:{place.line}: {message}" if place.file else message


def place_in_traceback(trace: TracebackType | None) -> Location:
    """The innermost line outside torch of a traceback; the user's own code before installed libraries."""
    return _nearest(
        [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(trace)], farthest=1
    )


def place_of_call() -> Location:
    """The same of the call that is being made."""
    return _nearest([(frame.filename, frame.lineno or 0) for frame in traceback.extract_stack()], farthest=1)


def place_in_stack(stack_trace: str | None, module: str = "") -> Location:
    """The same of the text of a stack trace, with the path of a module; in torch if it is nowhere else."""
    frames = [(match["file"], int(match["line"])) for match in _FRAME.finditer(stack_trace or "")]
    place = _nearest(frames, farthest=2)
    return Location(place.file, place.line, module)


def _nearest(frames: list[tuple[str, int]], farthest: int) -> Location:
    """The innermost of the frames that are nearest to the user; an empty location if all are farther away."""
    distances = [_distance(file) for file, _ in frames]
    nearest = min(distances, default=_FAR)
    if nearest > farthest:
        return Location()
    file, line = [frame for frame, far in zip(frames, distances, strict=True) if far == nearest][-1]
    return Location(shown_path(file), line)


def shown_path(file: str) -> str:
    """The path as a person would write it: relative to site-packages or to the current folder where it is below."""
    return _shown_from(file, Path.cwd())


@cache
def _shown_from(file: str, folder: Path) -> str:
    path = Path(file)
    for root in (*_library_folders(), folder):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.as_posix()


_FAR = 3


@cache
def _distance(file: str) -> int:
    """How far a file is from the user: 0 theirs, 1 an installed library, 2 torch, 3 generated code, Python, wsc."""
    if file.startswith("<"):
        return _FAR
    path = Path(file)
    if path.is_relative_to(Path(__file__).parent.parent):
        return _FAR
    if any(path.is_relative_to(folder) for folder in torch.__path__):
        return 2
    if any(path.is_relative_to(folder) for folder in _library_folders()):
        return 1
    return _FAR if path.is_relative_to(sysconfig.get_path("stdlib")) else 0


@cache
def _library_folders() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))
