"""Commands and workflows on real repositories."""
