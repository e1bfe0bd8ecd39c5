"""Many processes for a long time."""
