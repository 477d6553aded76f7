"""The Trifeature data set: attributes, rendering, pairs, exact atoms, storage."""
