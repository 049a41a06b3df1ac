"""Functional execution of a wafer program on real tensors, vectorised over the cores of each region."""

from wsc.backends.wafer.execute.run import execute

__all__ = ["execute"]
