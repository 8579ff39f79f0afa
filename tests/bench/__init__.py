"""`make bench`: what the harness costs, against a peer or a floor measured in the same run. Never part of `make test`."""
