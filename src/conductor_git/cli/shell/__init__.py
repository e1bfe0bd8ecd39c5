"""What the shell of a person gets: completion of commands, options and live task ids, and `cd` into a worktree."""
