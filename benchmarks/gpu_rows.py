"""Rows measured on GPUs: files found in a folder by their columns, each row checked and typed."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field, ValidationError

RowT = TypeVar("RowT", bound="Row")


class Row(BaseModel):
    """A measured row; columns that the model does not know are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class KernelRow(Row):
    system: str
    latency_us: float = Field(gt=0)

    @property
    def judged(self) -> bool:
        """Whether constants are never fitted on the row: about every other one, by a hash of what was measured."""
        shape = self.model_dump(exclude={"latency_us", "system"})
        return crc32(repr(sorted(shape.items())).encode()) % 2 == 1


class GemmRow(KernelRow):
    gemm_dtype: str
    m: int = Field(gt=0)
    n: int = Field(gt=0)
    k: int = Field(gt=0)


class PrefillRow(KernelRow):
    batch_size: int = Field(gt=0)
    isl: int = Field(gt=0)
    num_heads: int = Field(gt=0)
    num_key_value_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)


class DecodeRow(KernelRow):
    batch_size: int = Field(gt=0)
    kv_len: int = Field(gt=0)
    num_heads: int = Field(gt=0)
    num_key_value_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    src: str = ""


class NcclRow(KernelRow):
    op_name: str
    num_gpus: int = Field(gt=1)
    bytes: int = Field(gt=0)


class OneShotRow(KernelRow):
    num_gpus: int = Field(gt=1)
    bytes: int = Field(gt=0)


@dataclass(frozen=True)
class RowSet(Generic[RowT]):
    """Rows of one kind: its title, the type of its rows, columns that tell it from kinds whose columns it shares."""

    title: str
    row: type[RowT]
    absent: frozenset[str] = frozenset()

    @property
    def columns(self) -> frozenset[str]:
        """Columns that a file must have."""
        fields = self.row.model_fields.items()
        return frozenset(field.alias or name for name, field in fields if field.is_required())

    def fits(self, columns: frozenset[str]) -> bool:
        """Whether a file with these columns is of this kind."""
        return self.columns <= columns and not self.absent & columns

    def rows(self, folder: Path) -> Iterator[RowT]:
        """The rows of every file of this kind in a folder; raises SystemExit for a row that is not valid."""
        for path in sorted(folder.glob("*.csv")):
            records = read(path)
            if records and self.fits(frozenset(records[0])):
                yield from (self._row(path, number, record) for number, record in enumerate(records, 1))

    def _row(self, path: Path, number: int, record: dict[str, str]) -> RowT:
        try:
            return self.row.model_validate({key: value for key, value in record.items() if value != ""})
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise SystemExit(f"{path.name}, row {number}: {faults}") from error


GEMM = RowSet("Matrix products", GemmRow)
PREFILL = RowSet("Attention, prefill", PrefillRow)
DECODE = RowSet("Attention, decode", DecodeRow)
NCCL = RowSet("Collectives, one node", NcclRow)
ONE_SHOT = RowSet("All-reduce of a serving library", OneShotRow, frozenset({"op_name"}))
KERNEL_SETS = (GEMM, PREFILL, DECODE, NCCL, ONE_SHOT)


def read(path: Path) -> list[dict[str, str]]:
    """Records of a CSV file; lines that begin with # are comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if line.strip() and not line.startswith("#")))


def check_folder(folder: Path, sets: tuple[RowSet[Row], ...]) -> list[str]:
    """What the files that are of no kind miss of the nearest one; raises SystemExit where no file is of any."""
    if not folder.is_dir():
        raise SystemExit(f"--data {folder}: there is no such folder")
    strangers, known = [], 0
    for path in sorted(folder.glob("*.csv")):
        records = read(path)
        columns = frozenset(records[0]) if records else frozenset()
        if any(kind.fits(columns) for kind in sets):
            known += 1
            continue
        nearest = min(sets, key=lambda kind: len(kind.columns - columns))
        missing = ", ".join(sorted(nearest.columns - columns))
        strangers.append(f"{path.name} is of no kind; as '{nearest.title}' it has no column {missing}")
    if not known:
        raise SystemExit(f"--data {folder}: no file has the columns of any kind. {'. '.join(strangers)}")
    return strangers
