"""A bus in one SQLite database: how it is opened and made, and what its rows say."""
