"""How fast: rendering, training step by step and in parts, and the seconds to a given quality."""
