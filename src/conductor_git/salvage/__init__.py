"""Salvage: what a removal of a worktree would drop, kept under a ref, read back, and the index that goes with it."""
