"""`python -m wsc` is `wsc`."""

from wsc.cli import main

main()
