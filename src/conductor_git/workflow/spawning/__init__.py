"""The parts of a spawn: what is asked for, and what it will make."""
