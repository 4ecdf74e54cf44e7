"""The proxy of one session: server (HTTP in), case (the conductor), relay (bytes through)."""
