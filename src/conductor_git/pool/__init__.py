"""The warm pool: worktrees that lie ready before a spawn asks for one, and what becomes of those that have landed."""
