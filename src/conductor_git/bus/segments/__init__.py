"""The bus in files: one that is written to, and the closed segments before it."""
