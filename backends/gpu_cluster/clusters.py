"""Clusters by name or from a file, which names a shipped GPU or describes its own, and how it is built in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wsc.backends.gpu_cluster.machine import Cluster
from wsc.compiler.errors import MachineError

HERE = Path(__file__).parent
_NAME = re.compile(r"(?P<gpu>[a-z0-9]+(?:-nvl(?P<domain>[0-9]+))?)x(?P<count>[1-9][0-9]*)")


def shipped() -> Mapping[str, Path]:
    """The cluster files that come with the target, by name."""
    return {path.stem: path for path in sorted((HERE / "machines").glob("*.toml"))}


def gpu_names() -> tuple[str, ...]:
    """The GPUs that come with the target."""
    return tuple(path.stem for path in sorted((HERE / "gpus").glob("*.toml")))


@cache
def cluster_named(name: str) -> Cluster:
    """`h100x8`, `gb200-nvl72x4` (four domains of 72): a shipped cluster or one by the pattern; raises MachineError."""
    return _cluster(name, tomllib.loads(cluster_text(name)), f"the cluster '{name}'")


@cache
def cluster_sized(name: str, gpus: int) -> Cluster:
    """The shipped cluster of a name as if it had so many GPUs; raises MachineError."""
    data = tomllib.loads(cluster_text(name)) | {"gpus": gpus}
    return _cluster(f"{name}, {gpus} GPUs", data, f"the cluster '{name}' with {gpus} GPUs")


def cluster_text(name: str) -> str:
    """The cluster file of a name, shipped or by the pattern; raises MachineError."""
    if name in shipped():
        return shipped()[name].read_text(encoding="utf-8")
    match = _NAME.fullmatch(name)
    gpu = _named_gpu(match["gpu"]) if match else None
    if match is None or gpu is None:
        raise MachineError(
            f"'{name}' is no cluster: write GPU x count, such as h100x64, with a GPU of {', '.join(gpu_names())}"
        )
    gpus = int(match["count"]) * int(match["domain"] or 1)
    return f'target = "gpu_cluster"\ngpu = "{gpu}"\ngpus = {gpus}\n'


def _named_gpu(name: str) -> str | None:
    """The GPU of a name; in `mi300x8` the x is the GPU's own as well."""
    return next((known for known in (name, f"{name}x") if known in gpu_names()), None)


def read_cluster(path: Path) -> Cluster:
    """The cluster that a TOML file describes; raises MachineError naming the file and every bad key."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MachineError(f"cannot read the machine file {path}: {error}") from error
    return _cluster(path.stem, data, f"the machine file {path}")


def _cluster(name: str, data: dict[str, Any], what: str) -> Cluster:
    if isinstance(data.get("gpu"), dict):
        data = {**data, "gpu": {"common": _figures("calibration", "common"), **data["gpu"]}}
    if isinstance(data.get("gpu"), str):
        built = _built_in(data["gpu"], what)
        own = data.get("system", {})
        system = (
            {**built["system"], **own} if isinstance(own, dict) else own
        )  # a file may give some keys alone
        data = {**built, **{key: data[key] for key in data if key != "gpu"}, "system": system}
    try:
        return Cluster.model_validate({"name": name, **data})
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'as a whole'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise MachineError(f"{what} is not valid: {faults}") from error


def _built_in(gpu: str, what: str) -> dict[str, Any]:
    if gpu not in gpu_names():
        close = get_close_matches(gpu, gpu_names(), n=1, cutoff=0.4)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise MachineError(f"{what} names an unknown GPU, '{gpu}'.{hint} Known: {', '.join(gpu_names())}.")
    figures = _figures("gpus", gpu)
    constants = {"calibration": _figures("calibration", gpu), "common": _figures("calibration", "common")}
    return {"gpu": {**figures["gpu"], **constants}, "system": figures["system"]}


@cache
def _figures(folder: str, name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / folder / f"{name}.toml").read_text(encoding="utf-8"))
