"""Intervals, significance and power."""
