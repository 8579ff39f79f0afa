"""Judging one utterance: reference against hypothesis, and the latency of its text."""
