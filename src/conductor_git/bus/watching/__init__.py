"""Sleeping until a file changes, or until somebody says stop."""
