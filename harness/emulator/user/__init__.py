"""The user's part of a session: where speech and turns begin and end, and what is told of what was heard."""
