"""From a plan to a program: one template a class of kernel, and the streams between the kernels."""
