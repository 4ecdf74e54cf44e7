"""Answers that need no model: those that were given before, those made by rule, and the counting of tokens."""
