"""Stand-ins for the agents' command lines: strict executables that speak the real streams and misbehave on demand.

Each executable (`claude`, `codex`, …) is a few lines that call its module's `main`; put this directory on PATH to have
them found. What they do is said in `STAND_IN`; the words are those of `acting.py`.
"""
