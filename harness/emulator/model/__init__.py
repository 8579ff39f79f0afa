"""The model's part of a session: what it answers, how that is given, what it remembers and what a turn costs."""
