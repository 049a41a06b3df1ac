"""Named arrays in one uncompressed .npz file, each read when it is asked for; bfloat16 is kept as its 16 bits."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from wsc.compiler.ops.base import Array

_BFLOAT = "bf16:"


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name; raises OSError."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            narrow = array.dtype == ml_dtypes.bfloat16
            entry = zipfile.ZipInfo(f"{_BFLOAT if narrow else ''}{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(
                    file, array.view(np.uint16) if narrow else array, allow_pickle=False
                )


def read_arrays(path: Path) -> Mapping[str, Array]:
    """The arrays of a file; raises OSError or zipfile.BadZipFile."""
    return _Arrays(path)


class _Arrays(Mapping[str, Array]):
    def __init__(self, path: Path) -> None:
        self._path = path
        with np.load(path, allow_pickle=False) as file:
            self._names = {name.removeprefix(_BFLOAT): name for name in file.files}

    @cached_property
    def _file(self) -> Any:
        return np.load(self._path, allow_pickle=False)

    def __getitem__(self, name: str) -> Array:
        stored = self._names[name]
        array: Array = self._file[stored]
        return array.view(ml_dtypes.bfloat16) if stored.startswith(_BFLOAT) else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
