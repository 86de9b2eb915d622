"""NumPy, CuPy and torch arrays, FFTs, threads and memory of this machine."""
