"""What is prescribed: means, faces of the box, paths of either."""
