"""Numbers of a program, from the program alone: every tile, collective and message is really carried out."""

from wsc.backends.gpu_cluster.execute.run import execute

__all__ = ["execute"]
