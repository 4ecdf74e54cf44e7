"""Decisions about which lane serves what: pure, with clock and randomness passed in."""
