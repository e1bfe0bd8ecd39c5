"""The agents that we can call, one file each: how each is found, launched and understood."""
