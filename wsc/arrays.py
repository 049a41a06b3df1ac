"""Named arrays in one uncompressed .npz file, each read when it is asked for; types that numpy lacks as bits."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import ml_dtypes
import numpy as np

from wsc.compiler.ops.base import Array

# Element types that the format cannot name, by the prefix of an entry that holds their bits.
_OWN = {"bf16:": np.dtype(ml_dtypes.bfloat16), "f8:": np.dtype(ml_dtypes.float8_e4m3fn)}
_BITS = {1: np.uint8, 2: np.uint16}


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name, one at a time; the same arrays give the same bytes. Raises OSError."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            prefix = next((prefix for prefix, dtype in _OWN.items() if array.dtype == dtype), "")
            plain = array.view(_BITS[array.dtype.itemsize]) if prefix else array
            with archive.open(zipfile.ZipInfo(f"{prefix}{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, plain, allow_pickle=False)


def read_arrays(path: Path, before: Callable[[], None] | None = None) -> Mapping[str, Array]:
    """The arrays of a file, which is opened, after calling `before`, when the first name or array is asked for.

    Raises OSError, ValueError or zipfile.BadZipFile where the file does not hold arrays; never runs code from it.
    """
    return _Arrays(path, before)


class _Arrays(Mapping[str, Array]):
    def __init__(self, path: Path, before: Callable[[], None] | None) -> None:
        self._path = path
        self._before = before

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        if self._before is not None:
            self._before()
        return zipfile.ZipFile(self._path)

    @cached_property
    def _entries(self) -> dict[str, str]:
        names = self._archive.namelist()
        return {name.removeprefix(_prefix(name)).removesuffix(".npy"): name for name in names}

    def __getitem__(self, name: str) -> Array:
        entry = self._entries[name]
        with self._archive.open(entry) as file:
            array: Array = np.lib.format.read_array(file, allow_pickle=False)
        prefix = _prefix(entry)
        return array.view(_OWN[prefix]) if prefix else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _prefix(entry: str) -> str:
    return next((prefix for prefix in _OWN if entry.startswith(prefix)), "")
