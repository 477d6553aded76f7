"""The sets of real data of the paper: what they are, and readers of their published files."""
