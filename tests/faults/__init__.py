"""What the program must survive: a table of faults, by kind."""
