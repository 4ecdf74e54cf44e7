"""What is changed of a conversation before it is sent, and nothing else: pure functions of what stands in it."""
