"""Audio files in, 16-bit 16 kHz mono PCM out; and what can be measured on the signal."""
