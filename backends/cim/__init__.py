"""Compute in memory: crossbars that hold the weights and multiply by them, with digital units beside them."""
