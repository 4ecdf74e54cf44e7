"""A key that is never printed.

It shows itself only to `reveal`, which has three kinds of callers: the header of the request that needs it, the store
that keeps it, and the hash that tells whose an answer is.
"""

from __future__ import annotations

from lynkr.errors import ConfigError

_UNMISTAKABLE = 16


class Key:
    """A credential that cannot be shown by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def read(cls, text: str, where: str) -> Key | None:
        """The key in `text`, None where there is none. Raises ConfigError for one that no header can carry."""
        text = text.strip()
        if not text:
            return None
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigError(f"the key in {where} has characters that no header can carry")
        return cls(text)

    def reveal(self) -> str:
        """The key itself."""
        return self._text

    def is_in(self, text: str) -> bool:
        """Whether `text` holds the key. A word such as `ollama`, which local servers take for one, is in much else."""
        return len(self._text) >= _UNMISTAKABLE and self._text in text

    def hidden_in(self, text: str) -> str:
        """`text` without the key."""
        return text.replace(self._text, "…")

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key cannot be stored")
