"""Benchmarks: each figure is a ratio to a yardstick that is measured in the same run, in turns with it."""
