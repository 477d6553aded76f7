"""What a trained model knows: linear probes and the numbers that score them."""
