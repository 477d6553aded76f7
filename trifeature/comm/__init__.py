"""CoMM, its rivals and its ablations: networks, losses, methods and the training loop."""
