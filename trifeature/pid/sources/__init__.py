"""More than two sources, one value a sample, and the atoms given a further variable."""
