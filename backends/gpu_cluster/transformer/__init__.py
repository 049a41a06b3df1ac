"""Programs of transformers from their shape: training steps and serving, without a captured graph."""
