"""Tiers of a tree of switches: what one holds, the pattern of a fat tree, and what can be wrong with a given one."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

NAMES: tuple[Literal["leaf", "spine", "core"], ...] = ("leaf", "spine", "core")


class Tier(BaseModel):
    """Switches of one tier, all alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["leaf", "spine", "core"]
    switches: int = Field(gt=0)
    ports: int = Field(gt=0)  # of each switch
    down_ports: int = Field(gt=0)  # of those, cabled towards the GPUs
    up_ports: int = Field(ge=0)  # of those, cabled towards the next tier


def fat_tree(ends: int, ports: int, least_leaves: int = 0) -> tuple[Tier, ...]:
    """A fat tree without oversubscription over `ends` ports of GPUs, of at least so many leaves if of more than one.

    Raises ValueError where three tiers are too few.

    Source of the pattern: C. Leiserson, IEEE Trans. Computers C-34 (1985); 16,384 ends and 64 ports give the 512
    leaves, 512 spines and 256 cores of NVIDIA's DGX SuperPOD.
    """
    half = ports // 2
    if ends <= ports:
        return (Tier(name="leaf", switches=1, ports=ports, down_ports=ends, up_ports=0),)
    leaves = max(least_leaves, ceil(ends / half))
    leaf = Tier(name="leaf", switches=leaves, ports=ports, down_ports=half, up_ports=half)
    if leaves <= ports:
        return leaf, Tier(
            name="spine", switches=ceil(leaves * half / ports), ports=ports, down_ports=ports, up_ports=0
        )
    if leaves > half * ports:
        raise ValueError(
            f"three tiers of switches with {ports} ports join {half * half * ports} GPUs, not {ends}"
        )
    spine = Tier(name="spine", switches=leaves, ports=ports, down_ports=half, up_ports=half)
    return (
        leaf,
        spine,
        Tier(name="core", switches=ceil(leaves * half / ports), ports=ports, down_ports=ports, up_ports=0),
    )


def tier_fault(tiers: Sequence[Tier], ends: int) -> str:
    """What is wrong with a tree over `ends` ports of GPUs; empty where nothing is."""
    below, what = ends, "ports of GPUs"
    for tier, name in zip(tiers, NAMES, strict=False):
        if tier.name != name:
            return f"tiers go leaf, spine, core; there is a {tier.name} where a {name} belongs"
        if tier.down_ports + tier.up_ports > tier.ports:
            return f"a {name} has {tier.ports} ports and uses {tier.down_ports} down and {tier.up_ports} up"
        if tier.switches * tier.down_ports < below:
            return (
                f"{below - tier.switches * tier.down_ports} of {below} {what} have no link to a {name} switch"
            )
        below, what = tier.switches * tier.up_ports, f"up-links of the {name} switches"
    if below or len(tiers) > len(NAMES):
        return f"{below} {what} lead nowhere: a tier is missing above them"
    return (
        ""
        if tiers[-1].switches == 1 or len(tiers) > 1
        else f"{tiers[-1].switches} leaves have no link to each other"
    )
