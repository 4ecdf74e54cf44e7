"""lynkr: runs a coding tool through a proxy of its own, relays exactly, reports truly."""

__version__ = "0.1.0"
