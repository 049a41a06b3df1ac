"""Simulation: what a program costs in time on a machine. Knows no target by name."""
