"""Keys: where they are kept, and the type that cannot be printed."""

from lynkr.secrets.key import Key

__all__ = ["Key"]
