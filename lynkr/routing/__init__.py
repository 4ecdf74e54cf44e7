"""Decisions about which lane serves what: pure, with clock and randomness passed in."""

# How hard work is, in rising order.
TIERS = ("simple", "medium", "complex", "reasoning")
