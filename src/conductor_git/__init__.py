"""conductor-git: many coding agents on one git repository, nothing lost, nothing unreviewed landed."""

__version__ = "0.1.0"
