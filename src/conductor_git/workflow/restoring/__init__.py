"""The parts of a restore: what there is, what is to be made of it, the files, and their place."""
