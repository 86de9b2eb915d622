"""The operators of the solver on torch tensors, and what blocks do to fields."""
