"""The command line. Heavy imports are inside the commands, so that `wsc --help` answers at once."""

from __future__ import annotations

import wsc.verbs.compiling
import wsc.verbs.looking  # noqa: F401 - imported to add their commands, in the order of the help
from wsc.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    app()
