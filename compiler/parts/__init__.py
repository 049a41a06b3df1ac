"""Parts of a graph that are more than one node and less than a layer, found by their shape: what models call by name."""
