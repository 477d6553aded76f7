"""Files of a user's own: tables and arrays as samples, with labels from their columns."""
