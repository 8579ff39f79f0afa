"""The Live API served on loopback, with a real recogniser behind it.

door           sockets, requests and tokens: who is let in
quirks         misbehaviour on demand, between a conversation and its socket
conversation   one session over its connections: what comes, what is remembered, when it ends
model          the model's part: what is answered, how it is given, what it costs
user           the user's part: where turns begin and end, and what is told of what was heard
voice, ear     what speaks and what hears, each in a process of its own, at the other end of a pipe
"""
