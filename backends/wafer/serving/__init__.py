"""A prompt's program and a token's program on the same cores, and the program that lays memory anew between them.

shapes    one shape in which the tensors of both programs can be written
pairs     what both programs hold, where it lies before and after, and the room it takes to slide from one to the other
plan      regions and cuts of both programs, and every movement between them
emit      the program of the movements
"""
