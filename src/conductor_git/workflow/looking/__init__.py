"""What is read of many tasks at once, at a price that looking again and again can pay."""
