"""The steps that the verbs of landing share: merge, queue and undo."""
