"""What is counted while the server runs, and what the records say when somebody asks."""
