"""Green operators and the homogeneous reference medium they belong to."""
