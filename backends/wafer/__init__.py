"""Wafer-scale engine: a grid of cores with local SRAM and a mesh network, run as a pipeline of kernels."""
