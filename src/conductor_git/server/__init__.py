"""REST, live streams and the pages over HTTP: the same workflows as the command line, for scripts and browsers."""
