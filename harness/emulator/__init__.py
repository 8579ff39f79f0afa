"""The Live API served on loopback, with a real recogniser behind it."""
