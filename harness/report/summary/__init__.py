"""Many rows pooled into one document: rates, latencies, where the errors are, and who is ahead."""
