"""Agents as processes: launched, supervised, stopped, and always ending in a recorded state."""
