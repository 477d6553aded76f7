"""Estimates from samples: cross-fitted experts, their intervals, and how often they hold."""
