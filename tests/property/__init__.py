"""Random sequences of commands on a real repository, next to a model of what they may do."""
