"""Plans: how a captured graph, or a transformer by its shape, is spread over a cluster."""
