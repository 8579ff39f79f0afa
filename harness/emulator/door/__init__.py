"""The sockets: upgrades, requests and ephemeral tokens; who is let in, and who is refused."""
