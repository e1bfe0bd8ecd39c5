"""A plan of many tasks: read, validated whole, and driven to its end from what is on record."""
