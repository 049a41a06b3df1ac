"""Runs the written code of several folders, one after another, in processes forked from one that has loaded torch.

    torch_driver.py SECONDS GROUP...        each GROUP is RANKS:OPTIONS:FOLDERS, the last two with commas between

A group of RANKS > 0 joins by a file in each folder, as the ranks of a launch would by torchrun's store; RANKS = 0 is
one process, with each of the options of the written code (--reference, --local, --fake=RANK). What has not ended after
so many seconds is ended: ranks that wait for each other never do.
"""

import os
import runpy
import sys
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from time import monotonic
from typing import Any

import torch.distributed as dist

JOIN = dist.init_process_group


def one_process(rank: int, ranks: int, options: list[str], folders: list[str]) -> None:
    """Every folder, with every option; what it prints and warns of is the folder's."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(max(1, ranks))}
    for option in options:
        for folder in folders:
            if ranks:
                dist.init_process_group = partial(joined, Path(folder) / "store", rank, ranks)
            name = option.split("=")[0].removeprefix("--") or "out"
            report = ("--report", str(Path(folder) / f"{name}.json"))
            sys.argv = [str(Path(folder) / "run_torch.py"), *([option] if option else []), *report]
            runpy.run_path(sys.argv[0], run_name="__main__")


def joined(path: Path, rank: int, ranks: int, backend: str) -> None:
    """The group of the written code, which asks for nothing but a backend."""
    JOIN(backend, store=dist.FileStore(str(path), ranks), rank=rank, world_size=ranks)


def started(group: str) -> list[Any]:
    """The processes of a group."""
    ranks, options, folders = group.split(":")
    given = (int(ranks), options.split(","), folders.split(","))
    make = get_context("fork").Process
    found = [make(target=one_process, args=(rank, *given), daemon=True) for rank in range(max(1, given[0]))]
    for process in found:
        process.start()
    return found


def main() -> None:
    ends = monotonic() + float(sys.argv[1])
    for group in sys.argv[2:]:
        left = started(group)
        while left:
            if not wait([process.sentinel for process in left], max(0.0, ends - monotonic())):
                raise SystemExit(f"not ended after {sys.argv[1]} seconds: {group}")
            for process in [process for process in left if not process.is_alive()]:
                left.remove(process)
                if process.exitcode:
                    raise SystemExit(f"ended with {process.exitcode}: {group}")  # the others are ended too


if __name__ == "__main__":
    main()
