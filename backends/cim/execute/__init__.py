"""Numbers of a crossbar program: exactly, or with the physics of the cells."""

from wsc.backends.cim.execute.run import execute

__all__ = ["execute"]
