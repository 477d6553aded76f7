"""Studies of one's own data: what each modality, and several together, tell about labels."""
