"""The hooks of agents themselves, in the worktrees of workers: where they stand, what they say, how they go again."""
