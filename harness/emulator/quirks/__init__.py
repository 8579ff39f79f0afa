"""Misbehaviour on demand: everything that was seen of Live services, and what a network can do, each under a name.

quirk        what a quirk is, and how its value is written
transcripts  what is told of what was heard
answers      what else a session is answered, and in which order
endings      how a connection begins, lives and ends
frames       how a message is written
network      the way between the sockets
mischief     all of them in one registry, and what they make of each connection
"""
