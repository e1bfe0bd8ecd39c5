"""What every backend of the bus must do, run on each of them."""
