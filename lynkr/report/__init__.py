"""What a session cost: values first (`values`), then one renderer a file."""
