"""Networks of laminates: effective nonlinear response, learned from stiffness alone."""
