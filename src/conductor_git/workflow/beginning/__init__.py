"""The first look at a repository: what it is made of, and a config that fits it."""
