"""The whole region runs one layer after another: one assignment of dimensions to mesh axes, layers as one repeat.

roll      repeated layers of a graph as one, with what each has of its own
dims      which dimensions of the graph's tensors are walked together
assign    ways to cut those dimensions over the axes of the mesh
draft     a kernel in the making: buffers, instructions, what is combined across cores
lower     what each kind of op becomes (products, attention, tables: files of their own)
memory    addresses by lifetime
cost      closed forms to choose with
plan      regions, wafers and cuts chosen; emit makes the program
"""
