"""A run: what is planned, what has been done, and the one folder that holds both."""
