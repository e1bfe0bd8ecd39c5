"""A plan of many tasks among agents that misbehave and supervisors and runners that are killed: everything at once."""
