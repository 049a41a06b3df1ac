"""The commands as they are called: what each takes, with its help. What they do is in `wsc.commands`."""
