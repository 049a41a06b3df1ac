"""Measured claims: one module each, run as `python -m benchmarks.NAME` from the repository's top."""
