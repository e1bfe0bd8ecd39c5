"""What conductor-git promises, tried on real repositories with real processes."""
