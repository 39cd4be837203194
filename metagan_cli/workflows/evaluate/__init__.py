"""evaluate, in parts."""
