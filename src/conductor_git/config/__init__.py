"""The config of a project: its values, the layers they come from, and what is said of a bad one (no I/O)."""
