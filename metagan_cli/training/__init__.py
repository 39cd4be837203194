"""The outer loop and what it shows."""
