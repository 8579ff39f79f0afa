"""What hears: recognisers, and the process that one of them runs in."""
