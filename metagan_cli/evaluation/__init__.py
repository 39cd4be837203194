"""Measures of samples: copies, variety, distance from what a model knows."""
