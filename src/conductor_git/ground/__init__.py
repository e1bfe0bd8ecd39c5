"""The files that a new worktree begins with: which of them, how they are written, and the submodules among them."""
