"""The whole region runs one layer after another: one assignment of dimensions to mesh axes, layers as one repeat.

roll      repeated layers of a graph as one, with what each has of its own
dims      which dimensions of the graph's tensors are walked together
assign    ways to cut those dimensions over the axes of the mesh
draft     a kernel in the making: buffers, instructions, what is combined across cores
lower     what each kind of op becomes (products, attention, tables, along: files of their own)
priced    a draft as its cycles, each node lowered once for all cuts that are alike to it
memory    addresses by lifetime
cost      closed forms to choose with
causal, trimmed, untied    the graph as it is laid out: masks by places, no padding cut off again, tables held twice
tiles     a rectangle for every part of every layer
plan      regions, wafers and cuts chosen; emit makes the program
"""
