"""Server-sent events: what happens, as it happens. One follower of the bus for all who listen."""
