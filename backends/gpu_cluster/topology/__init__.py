"""The scale-out network: tiers of switches with ports, made by a pattern or read from a file."""
