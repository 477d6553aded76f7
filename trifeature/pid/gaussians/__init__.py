"""Jointly Gaussian variables: BROJA in closed form, certified, and from samples."""
