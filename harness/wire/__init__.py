"""Protocols of real-time speech services, without sockets, clocks or files."""
