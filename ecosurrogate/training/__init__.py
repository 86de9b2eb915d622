"""Training runs: configuration, losses, checkpoints, devices."""
