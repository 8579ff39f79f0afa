"""Google's Live API (`BidiGenerateContent`): messages, codec, both ends' state machines, and the catalogue.

Sources are cited as in `docs/protocol.md`.
"""
