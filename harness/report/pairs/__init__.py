"""Transcripts that somebody already has: read from their files and scored as a table."""
