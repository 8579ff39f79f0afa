"""One session as the service holds it, over its connections: what comes, what is resumed, when it ends."""
