"""The parts of a landing: merge in memory, gates, the lease of a target, and publishing by compare-and-swap."""
