"""The compiler's core: graph, ops, passes, and the vocabulary of machines. Knows no torch, no solver, no device."""
