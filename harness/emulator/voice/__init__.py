"""What speaks: a synthesiser in a process of its own, and an answer aloud."""
