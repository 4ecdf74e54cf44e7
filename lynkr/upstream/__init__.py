"""The way out: which address a lane has, which credential it carries, and the connection to it."""
