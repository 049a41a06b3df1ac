"""Placement: rectangles of cores for the blocks of a chain. The only importer of ortools; knows no torch, no target."""
