"""Many utterances: tables, summaries, and the files that people open."""
