"""Models that predict stress and strain: blocks, energies, descent."""
