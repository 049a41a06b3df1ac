"""A cluster of GPUs: the yardstick that every other target is held against."""
