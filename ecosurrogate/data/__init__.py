"""What networks are shown: bodies as tensors, normalized, turned, encoded."""
