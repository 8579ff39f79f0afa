"""The tests: a folder a room, then the rooms together."""
