"""A run as tables: which columns they have, and the files that they are written to and read from."""
