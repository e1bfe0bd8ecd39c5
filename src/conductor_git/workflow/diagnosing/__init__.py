"""What `doctor` looks at: a module a family of findings, each with what it finds and how that is mended."""
