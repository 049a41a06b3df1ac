"""A folder that is whole or not there: written beside its place, renamed into it, checked against digests.

Knows of a build's files only their names. Whatever is not of a build is the user's, and is never deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wsc.compiler.errors import BuildError

FORMAT = "wsc build"
VERSION = 1
MANIFEST = "manifest.json"
FILES = frozenset(
    {"machine.toml", "graph.txt", "program.txt", "trace.json", "plan.json", "weights.npz", "examples.npz"}
)
ADDED = frozenset(  # what commands add, and can make again
    {"maps", "report.html", "timeline.json", "timeline.perfetto-trace", "torch"}
)


@dataclass(frozen=True)
class Manifest:
    """What a folder says of itself; `files` gives the digest of each."""

    format: str
    version: int
    name: str
    target: str
    machine: str
    files: Mapping[str, str]


def write_manifest(folder: Path, name: str, target: str, machine: str) -> None:
    """Write the manifest of a folder that has all its other files; raises OSError."""
    files = {file: _digest_of(folder / file) for file in sorted(FILES)}
    said = asdict(Manifest(FORMAT, VERSION, name, target, machine, files))
    text = json.dumps({**said, "digest": _digest_of_manifest(said)}, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a build folder of this version; raises BuildError."""
    said = _said(folder)
    form, version = said.get("format"), said.get("version")
    if form != FORMAT or version != VERSION:
        raise BuildError(
            f"{folder} is a '{form}' of version {version}, and this wsc reads a '{FORMAT}' of version {VERSION}: "
            "compile the model again."
        )
    try:
        if said.pop("digest", None) != _digest_of_manifest(said):
            raise ValueError("it was changed")
        manifest = _MANIFEST.validate_python(said)
    except (ValueError, ValidationError) as error:
        raise _corrupt(folder, f"{MANIFEST} is not as it was written") from error
    if manifest.files.keys() != FILES:
        raise _corrupt(folder, f"{MANIFEST} does not list the files of a build")
    return manifest


def _said(folder: Path) -> dict[str, Any]:
    """The manifest as it stands."""
    if not folder.is_dir():
        raise BuildError(f"There is no build folder {folder}: make one with `wsc compile MODEL`.")
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BuildError(
            f"{folder} is no build folder, it has no {MANIFEST}: make one with `wsc compile MODEL`."
        ) from error
    except (OSError, ValueError) as error:
        raise _corrupt(folder, f"{MANIFEST} cannot be read") from error
    if not isinstance(said, dict):
        raise _corrupt(folder, f"{MANIFEST} cannot be read")
    return said


def check_digests(folder: Path, manifest: Manifest, later: tuple[str, ...] = ()) -> None:
    """Raise BuildError for a file that is missing or changed; of those to be checked later, only for a missing one."""
    for name in manifest.files:
        if name not in later:
            check_digest(folder, manifest, name)
        elif not (folder / name).is_file():
            raise _corrupt(folder, f"{name} is missing")


def check_digest(folder: Path, manifest: Manifest, name: str) -> None:
    """Raise BuildError if a file is missing or changed."""
    try:
        digest = _digest_of(folder / name)
    except OSError as error:
        raise _corrupt(folder, f"{name} is missing") from error
    if digest != manifest.files[name]:
        raise _corrupt(folder, f"{name} is not as it was written")


def _corrupt(folder: Path, what: str) -> BuildError:
    return BuildError(f"The build folder {folder} is corrupt, {what}: compile the model again.")


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _blake).hexdigest()


def _digest_of_manifest(said: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()


def _blake() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def check_place(folder: Path) -> None:
    """Raise BuildError if a build folder cannot be written there: before the work is done, not after."""
    try:
        _check_place(folder, folder.resolve())
    except OSError as error:
        raise _unwritable(folder, error) from error


def _check_place(folder: Path, place: Path) -> None:
    if place.exists() and not place.is_dir():
        raise BuildError(f"{folder} is a file: choose another folder with --output.")
    if Path.cwd().is_relative_to(place):
        raise BuildError(
            f"{folder} holds the current folder and cannot be replaced: choose one inside it with --output."
        )
    if place.is_dir() and (strange := _strange(place)):
        raise BuildError(
            f"{folder} holds '{strange}', which is of no build and would be lost: choose another folder with --output."
        )
    above = next(parent for parent in place.parents if parent.exists())
    if not above.is_dir():
        raise BuildError(f"Cannot write the build folder {folder}: {above} is a file.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise BuildError(f"Cannot write the build folder {folder}: {above} may not be written to.")


def _unwritable(folder: Path, error: OSError) -> BuildError:
    return BuildError(f"Cannot write the build folder {folder}: {error.strerror or error}.")


def _strange(folder: Path) -> str:
    """Something in a folder that is of no build of ours; "" where there is nothing."""
    names = sorted(path.name for path in folder.iterdir())
    ours = FILES | ADDED | {MANIFEST} if MANIFEST in names and _is_ours(folder) else frozenset()
    return next((name for name in names if name not in ours), "")


def _is_ours(folder: Path) -> bool:
    """Whether the manifest is one of ours, of any version, or so broken that nobody can say."""
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except ValueError:
        return True
    return isinstance(said, dict) and said.get("format") == FORMAT


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, which then takes the place of `folder` whole; raises BuildError.

    Whatever goes wrong, an interrupt among it, what was there stays and nothing else is left.
    """
    check_place(folder)
    place = folder.resolve()
    missing = [above for above in place.parents if not above.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            yield beside
            beside.chmod(0o755)
            _swap(beside, place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        if not place.exists():
            _remove_empty(missing)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _swap(beside: Path, place: Path) -> None:
    """Put a finished folder in its place; the old one, if any, stays until the new one is there."""
    old = place.with_name(f"{beside.name}-old")
    try:
        if place.exists():
            place.rename(old)
        beside.rename(place)
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
        shutil.rmtree(old, ignore_errors=True)


_MANIFEST = TypeAdapter(Manifest)
