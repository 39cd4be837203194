"""Images, task sources and episodes."""
