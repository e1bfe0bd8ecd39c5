"""Kills, full disks and failing flushes, injected at every system call."""
