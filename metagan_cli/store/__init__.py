"""Everything that reaches the disk."""
