"""What is drawn: one HTML file that works from disk, without a request."""
