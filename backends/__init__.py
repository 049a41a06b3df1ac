"""One folder a target; `wsc.targets` finds them."""
