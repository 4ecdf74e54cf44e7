"""A whole session with nothing configured: a small agent, and a model for it that is canned or runs on this machine.

Agent and models are processes of their own that import nothing of lynkr: to the proxy they are strangers.
"""
