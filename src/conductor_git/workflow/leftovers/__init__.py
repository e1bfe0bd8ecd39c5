"""What `gc` takes away: a module a kind, each with what it finds and how one of it is removed."""
