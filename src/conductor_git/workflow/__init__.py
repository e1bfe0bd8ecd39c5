"""What can be done with a task, one verb a file. The CLI and every other surface call these functions."""
