"""What goes wrong, on purpose: one bench over all rooms, and the page it writes."""
