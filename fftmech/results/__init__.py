"""Results, and what is said of their fields: metrics, spectra, comparisons."""
