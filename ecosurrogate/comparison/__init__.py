"""A model against the solver, at equal accuracy and in time."""
