"""Comparison of a model with the solver: time at equal accuracy."""
