"""Targets that try to break the program: faults, mutated files, long runs, kills."""
