"""Rewrites of a model that no machine needs to know of: pure functions `Model -> Model`, one file a pass."""
