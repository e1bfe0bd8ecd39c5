"""Pure modules and single doors."""
