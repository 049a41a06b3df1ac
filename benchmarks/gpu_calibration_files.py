"""Writes the calibration files: constants fitted for a GPU, derived for those without measured rows, and shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log
from pathlib import Path

from pydantic import BaseModel

from wsc.backends.gpu_cluster.clusters import HERE, cluster_named, gpu_names
from wsc.backends.gpu_cluster.constants import Calibration, Common
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.machine import Gpu

FOLDER = HERE / "calibration"
NEIGHBOUR = "h100"  # of the GPUs that have no rows of their own: the newest that has
FIXED = {
    "products.floor_seconds": "assumed: the launch of a kernel from a graph; only its sum with tile_seconds shows",
    "products.copy_rate": "measured: an H200 copies 4.3 TB/s, read and written together, of the 4.8 of its data sheet; "
    "0.943 of these are reached by reads",
}


def write_files(fitted: Mapping[str, Gpu], rows: Mapping[str, int]) -> list[Path]:
    """Write every calibration file; `rows` says on how many rows each GPU was fitted."""
    written = [_write(name, _fitted_lines(name, gpu, rows[name])) for name, gpu in sorted(fitted.items())]
    others = [name for name in gpu_names() if name not in fitted]
    written += [_write(name, _derived_lines(name, fitted)) for name in others]
    common = next(iter(fitted.values())).common
    written.append(_write("common", _common_lines(common, sum(rows.values()))))
    return written


def _write(name: str, lines: Iterator[str]) -> Path:
    path = FOLDER / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _fitted_lines(name: str, gpu: Gpu, rows: int) -> Iterator[str]:
    yield f"# Constants of the {name}, written by `python -m benchmarks.gpu_calibrate --write`."
    yield ""
    for key in Calibration.model_fields:
        yield _entry(
            key, getattr(gpu.calibration, key), f"fitted on {rows} rows of kernels and collectives, {name}"
        )


def _derived_lines(name: str, fitted: Mapping[str, Gpu]) -> Iterator[str]:
    yield f"# Constants of the {name}: no rows are at hand, so they are derived; written by benchmarks.gpu_calibrate."
    yield ""
    gpu, near = cluster_named(f"{name}x1").gpu, fitted[NEIGHBOUR]
    for key in Calibration.model_fields:
        value, source = derived(key, gpu, near, fitted)
        yield _entry(key, value, source)


def derived(key: str, gpu: Gpu, near: Gpu, fitted: Mapping[str, Gpu]) -> tuple[float, str]:
    """A constant of a GPU without rows: its neighbour's, or what the data sheet makes of it."""
    value = getattr(near.calibration, key)
    if key == "tensor_efficiency" and len(fitted) > 1:
        return _by_power(
            gpu, fitted
        ), "on the line through the fitted GPUs over the log of peak bf16 rate a watt"
    if key == "tile_seconds":  # latencies of caches and pipelines, which are a number of cycles
        return value * near.clock_hz / gpu.clock_hz, f"as many cycles as the {near.name}"
    if key == "stream_seconds_per_root_megabyte":
        return value * near.hbm_bytes_per_second / gpu.hbm_bytes_per_second, (
            f"as the {near.name}, over the memory's bandwidth"
        )
    return value, f"as the {near.name}"


def _by_power(gpu: Gpu, fitted: Mapping[str, Gpu]) -> float:
    """Large products run into the power limit: the more operations a watt pays for, the less of the peak is left."""
    points = [(log(_peak_per_watt(known)), known.calibration.tensor_efficiency) for known in fitted.values()]
    (x0, y0), (x1, y1) = min(points), max(points)
    line = y0 + (y1 - y0) / (x1 - x0) * (log(_peak_per_watt(gpu)) - x0)
    return min(1.0, line)


def _peak_per_watt(gpu: Gpu) -> float:
    return gpu.kept(Precision.BF16) / gpu.power.tdp_watts


def _common_lines(common: Common, rows: int) -> Iterator[str]:
    yield "# Constants that all GPUs share, written by `python -m benchmarks.gpu_calibrate --write`."
    tables: list[tuple[str, BaseModel]] = [("products", common.products)]
    tables += [(f"attention.{name}", part) for name, part in sorted(common.attention.items())]
    for table, part in (*tables, ("collectives", common.collectives)):
        yield f"\n[{table}]"
        for key in type(part).model_fields:
            source = FIXED.get(f"{table}.{key}", f"fitted with the constants of the GPUs, on {rows} rows")
            yield _entry(key, getattr(part, key), source)


def _entry(key: str, value: float, source: str) -> str:
    return f'{key} = {{ value = {float(f"{value:.4g}"):g}, source = "{source}" }}'.replace("e+", "e")
