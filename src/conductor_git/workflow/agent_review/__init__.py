"""An agent as the reviewer: its task, its prompt, and what follows from its verdict."""
