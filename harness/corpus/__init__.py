"""Datasets: what an utterance is, where utterances come from, and what is wrong with a folder of them."""
