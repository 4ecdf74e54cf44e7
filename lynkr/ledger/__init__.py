"""What happened, for good: one row for every request, and what its tokens cost."""
