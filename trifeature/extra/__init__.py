"""What the science does not need: speed, several processes, clusters, benchmarks, fine-tuning."""
