"""What commands do and say, without Typer: called from the table of `hot` and from the ordinary commands."""
