"""One planned session at a time: its row, and what lies behind it."""
