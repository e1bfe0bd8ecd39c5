"""Foresight: which workers' changes would conflict if they met now. Nothing here writes to the repository."""
