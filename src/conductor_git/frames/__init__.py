"""A message as bytes: its header, its frame, and the way back, whoever wrote it (no I/O)."""
