"""Every algorithm by name, as a whole program from a few sizes, with what it has to compute."""

from wsc.backends.wafer.algorithms.catalog import layers, movement, products
from wsc.backends.wafer.algorithms.catalog.asked import OPTIONS, Entry, Sizes, example
from wsc.compiler.errors import AlgorithmError

ENTRIES: dict[str, Entry] = {
    entry.name: entry for entry in (*products.ENTRIES, *movement.ENTRIES, *layers.ENTRIES)
}


def find_entry(name: str) -> Entry:
    """The algorithm of a name; raises AlgorithmError."""
    if name not in ENTRIES:
        raise AlgorithmError(f"no algorithm is called '{name}'; there are {', '.join(ENTRIES)}")
    return ENTRIES[name]


__all__ = ["ENTRIES", "OPTIONS", "Entry", "Sizes", "example", "find_entry"]
