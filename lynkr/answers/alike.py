"""When two questions in other words are the same: a rule without a model, made to refuse.

Embeddings do not tell "list to set" from "set to list", nor a question from its negation (measured: on minimal edits
of coding questions the cosine of a common model is worth a coin's toss). So nothing is measured here. A question is
brought into a normal form, and two are the same where their forms are equal. Only what cannot be part of the matter
goes: a greeting and "please" around it, the frame of "how do I", the capital letter at its beginning, a final question
mark, and whether "in Python" stands before or behind. Every other word stays as it is written, in its order: articles
(an A record is none), short names (`int` is no `Integer`), letter case, signs and quotes.
"""

from __future__ import annotations

import re

# No question that one would ask twice is longer.
LONGEST = 300
_LANGUAGES = (
    "Python", "JavaScript", "TypeScript", "Go", "Rust", "Java", "Kotlin", "Swift", "Ruby", "PHP", "Perl", "Bash", "C++",
    "C#", "Scala", "Haskell", "Elixir", "Lua", "R", "SQL",
)  # fmt: skip
_NAMES = {name.lower(): name for name in _LANGUAGES}
# There a final mark may belong to a name: `empty?`, `sort!`, `print!`.
_MARKED = frozenset(("Ruby", "Rust", "Swift", "Elixir", "Haskell", "Scala", "Kotlin", "TypeScript", "C#"))
_ONE = "|".join(re.escape(name) for name in _LANGUAGES)
_GREETING = re.compile(r"^(?:(?:hi|hello|hey)[,!] |please,? |pls )+", re.IGNORECASE)
_THANKS = re.compile(r"(?:, (?:please|pls)|(?<=[.?!]) (?:thanks|thank you|thx)[.!]?)(?P<mark>[?.]?)$", re.IGNORECASE)
_FIRST = re.compile(rf"^in ({_ONE})[,:]? (?=\S)", re.IGNORECASE)
_LAST = re.compile(rf" in ({_ONE})$", re.IGNORECASE)
_ANY = re.compile(rf"(?<![\w+#.-])(?:{_ONE})(?![\w+#-])", re.IGNORECASE)
_HOW = re.compile(
    r"^(?:(?:can|could|would) you (?:please )?(?:tell|show) me |(?:please )?(?:tell|show) me "
    r"|i(?:'d| would) like to know )?"
    r"(?:how (?:do|can|would|could) i|how to"
    r"|what(?:'s| is) the (?:(?:best|right|correct|proper|usual|easiest) )?way to) ",
    re.IGNORECASE,
)
_SHORTENED = re.compile(
    r"\b(?:(what|where|how|who)'s|(is|are|do|does|did|was|were|should|would|could|has|have)n't|(can)(?:'t|not))\b",
    re.IGNORECASE,
)


def normal_form(question: str) -> str | None:
    """What two askings of one question have in common; None for what is no short question on one line."""
    text = question.strip()
    if (
        not text
        or len(text) > LONGEST
        or "\n" in text
        or "  " in text
        or not text.isprintable()
        or not re.search(r"\w", text)
        or "```" in text
    ):
        return None
    text = _GREETING.sub("", text)
    text = _THANKS.sub(lambda found: found["mark"], text)
    language, marked = "", False
    if found := _FIRST.match(text):
        language, text = _NAMES[found[1].lower()], text[found.end() :]
    bare = text[:-1] if text[-1:] == "?" and re.search(r"[\w+#]\?$", text) else text
    if not language and (found := _LAST.search(bare)):
        language, bare, text = _NAMES[found[1].lower()], bare[: found.start()], bare[: found.start()]
        marked = True
    how = _HOW.match(text)
    if language and (how is None or _ANY.search(text)):
        return None if _FIRST.match(question.strip()) else _plain(question)
    if not marked:
        text = text if language in _MARKED or _of_marks(text) else bare
    if how is not None:
        rest = text[how.end() :]
        return f"how to {_spelt(rest)} [{language}]" if rest else None
    return _plain(text)


def _plain(text: str) -> str:
    """A question that has no frame: as it is, but for its first letter and a mark at its end."""
    said = _THANKS.sub(lambda found: found["mark"], _GREETING.sub("", text.strip()))
    if re.search(r"\w\?$", said) and not _of_marks(said):
        said = said[:-1]
    first, _, rest = said.partition(" ")
    return _spelt(f"{first.lower() if first.istitle() and first.isalpha() else first} {rest}".strip())


def _of_marks(text: str) -> bool:
    """Whether a text is about a language whose names may end in a mark."""
    return any(_NAMES[found[0].lower()] in _MARKED for found in _ANY.finditer(text))


def _spelt(text: str) -> str:
    """Shortened words in full."""

    def full(found: re.Match[str]) -> str:
        if found[1]:
            return f"{found[1]} is"
        return f"{found[2] or found[3]} not"

    return _SHORTENED.sub(full, text)
