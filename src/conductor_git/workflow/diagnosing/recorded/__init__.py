"""What doctor makes of records: read against the bus and their own history, rebuilt where they cannot be read."""
