"""Files that go with messages: copied beside the bus under their hash, and checked when they are read."""
