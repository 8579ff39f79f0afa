"""One utterance through one Live session: connect, stream on time, drain, keep everything that was said."""
