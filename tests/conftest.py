"""What every test shares: the same examples everywhere, and one thread a process (xdist fills the cores)."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read once, when numpy or torch is first imported
os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import settings

# The same examples on every machine. To look for new ones: pytest --hypothesis-profile=default
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.load_profile("ci")
