"""Benchmarks of rendering, training steps and their parts, and of seconds to a given quality."""
