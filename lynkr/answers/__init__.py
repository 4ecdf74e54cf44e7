"""Answers that were given before: which question is the same one, and where answers are kept."""
