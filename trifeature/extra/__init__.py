"""Optional parts: faster training, several processes, clusters, benchmarks, fine-tuning."""
