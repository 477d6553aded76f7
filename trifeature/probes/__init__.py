"""Linear probes of trained models, and the numbers that score them."""
