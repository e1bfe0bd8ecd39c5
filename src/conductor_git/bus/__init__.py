"""The message bus: one protocol, one backend a file each."""
