"""Bytes to frames and back, without I/O: feed what came in, take what is whole."""
