"""Rules that a run must keep, and whether it does."""
