"""Where run records live; one protocol, a backend a file."""
