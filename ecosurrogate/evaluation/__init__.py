"""Predictions of a trained model, and how far they are from the solver."""
