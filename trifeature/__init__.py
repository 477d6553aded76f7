"""Trifeature pairs with known redundancy, uniqueness and synergy, and models that learn them."""

__version__ = "0.1.0"
