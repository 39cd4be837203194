"""One file, one command's work."""
