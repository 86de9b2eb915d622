"""Discrete problems, their material fields and their certificates."""
