"""A run in words: what to know before believing a figure, and the summary as text and Markdown."""
