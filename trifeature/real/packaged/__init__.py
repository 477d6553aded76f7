"""Small sets of real data that packages ship: what they are, and their readers."""
