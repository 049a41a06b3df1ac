"""Programs from plans, and code that runs on real GPUs."""
