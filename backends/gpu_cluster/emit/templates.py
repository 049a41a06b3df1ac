"""Texts of written code, put together: a file of the folder, with others and values in the place of its marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).parent


def script(template: str, values: Mapping[str, str]) -> str:
    """The text of a template; `values` gives what stands for @MARK@, a file's text where it is called so."""
    text = _text(template)
    for mark, value in {"COLLECTIVES": "torch_groups.tmpl", **values}.items():
        text = text.replace(f"@{mark}@", _text(value).rstrip("\n") if value.endswith(".tmpl") else value)
    return text


def write_files(texts: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """Write texts under their names into a folder, which is made, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
