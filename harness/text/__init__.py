"""What a text is in each locale: registry, canonical names, normalisation, tokens."""
