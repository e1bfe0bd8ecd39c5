"""Which task's worker spawned which, and how many it may."""
