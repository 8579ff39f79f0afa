"""A run beside others: paired utterance by utterance, with verdicts that luck does not earn."""
