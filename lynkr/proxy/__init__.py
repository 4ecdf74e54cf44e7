"""The proxy of one session: server (HTTP in), exchange (the conductor), relay (bytes through)."""
