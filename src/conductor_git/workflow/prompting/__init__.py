"""The prompt of an attempt: the task to the byte, and what its agent has to know beside it, a section a module."""
