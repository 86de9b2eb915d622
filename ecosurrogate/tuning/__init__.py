"""Studies of settings by Optuna."""
