"""Parts of a graph, more than a node and less than a layer, found by their shape: what models call by name."""
