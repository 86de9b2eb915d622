"""What a user calls: solve, homogenize, march along a load path."""
