"""Where utterances come from, a layout a module."""
