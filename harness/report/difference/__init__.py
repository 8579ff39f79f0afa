"""Two sets of rows side by side: which are paired, how far they differ, and what that is worth."""
