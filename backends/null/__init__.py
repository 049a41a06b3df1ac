"""The smallest legal target, and the template of a new one: a machine that runs one node after another."""
