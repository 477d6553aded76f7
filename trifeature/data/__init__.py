"""Trifeature itself: attributes to pixels to pairs, with exact atoms, in memory and on disk."""
