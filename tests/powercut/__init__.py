"""Power cuts: real processes write to a disk of their own, which loses everything that was not flushed. Takes root."""
