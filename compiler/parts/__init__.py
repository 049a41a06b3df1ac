"""Parts of a graph, found by their shape: more than one node and less than a layer, such as a rotary embedding."""
