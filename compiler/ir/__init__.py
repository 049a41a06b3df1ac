"""The graph: types, nodes, text form, verifier, reference interpreter."""
