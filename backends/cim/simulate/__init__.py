"""Cycles, energy and maps of a crossbar program, from the program and the machine alone."""

from wsc.backends.cim.simulate.run import simulate

__all__ = ["simulate"]
