"""Training data: examples, their encoding as tensors, normalisation, symmetries."""
