"""When two questions in other words are the same: a rule without a model, made to refuse.

Embeddings do not tell "list to set" from "set to list", nor a question from its negation (measured: on minimal edits
of coding questions the cosine of a common model is worth a coin's toss). So nothing is measured here. A question is
brought into a normal form, and two are the same where their forms are equal. Only what cannot be part of the matter
goes: a greeting before a question and thanks behind it, the frame of "how do I", the capital letter of a question
word, a final question mark, and whether "in Python" stands before or behind, unless what stands there may itself be in
Python. Every other word stays as it is written, in its order: articles (an A record is none), short names (`int` is no
`Integer`), short forms (one may ask how to print "don't"), the best way and the usual way, letter case, signs and
quotes.
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
# Only before what asks: "Hello, World" is no greeting, and PLS a method.
_ASKS = r"(?=(?:how|what|what's|where|when|why|which|who|is|are|can|could|would|do|does|did|should|tell|show) )"
_GREETING = re.compile(rf"^(?:(?:hi|hello|hey)[,!] |please,? |pls )+{_ASKS}", re.IGNORECASE | re.ASCII)
_THANKS = re.compile(r"(?<=[.?!]) (?:thanks|thank you|thx)[.!]?$", re.IGNORECASE | re.ASCII)
# Behind a language's name; elsewhere it may be what is asked about.
_POLITE = re.compile(rf"( in (?:{_ONE})), (?:please|pls)(\??)$", re.IGNORECASE | re.ASCII)
_FIRST = re.compile(rf"^in ({_ONE})[,:]? (?=\S)", re.IGNORECASE | re.ASCII)
_LAST = re.compile(rf" in ({_ONE})$", re.IGNORECASE | re.ASCII)
_ANY = re.compile(rf"(?<![\w+#.-])(?:{_ONE})(?![\w+#-])", re.IGNORECASE | re.ASCII)
# What can itself be in a language: "count the files in Go" is not "in Go, count the files".
_WRITTEN = re.compile(
    r"\b(?:code|files?|lines?|modules?|sources?|programs?|scripts?|projects?|packages?|repos?|repositor(?:y|ies)"
    r"|functions?|classes|class|methods?|tests?|examples?|snippets?|questions?|servers?|services?|apps?"
    r"|applications?|librar(?:y|ies)|texts?|comments?|words?|names?)$",
    re.IGNORECASE | re.ASCII,
)
_HOW = re.compile(
    r"^(?:(?:can|could|would) you (?:please )?(?:tell|show) me |(?:please )?(?:tell|show) me "
    r"|i(?:'d| would) like to know )?"
    r"(?:how (?:do|can|would|could) i(?! (?:and|or|vs|versus)\b)|how to|what(?:'s| is) the way to) ",
    re.IGNORECASE | re.ASCII,
)
# A question begins with one of these; anything else with a capital may be a name.
_WORDS = frozenset((
    "how", "what", "what's", "where", "where's", "when", "why", "which", "who", "who's", "is", "are", "can", "could",
    "would", "do", "does", "did", "should", "tell", "show", "explain", "i", "i'd",
))  # fmt: skip
_SHORTENED = re.compile(r"^(what|where|who|how)'s ", re.ASCII)


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
    text = _POLITE.sub(r"\1\2", _THANKS.sub("", text))
    language, marked = "", False
    if (found := _FIRST.match(text)) and (named := _named(found[1])):
        language, text = named, text[found.end() :]
    bare = text[:-1] if text[-1:] == "?" and re.search(r"[\w+#]\?$", text) else text
    if not language and (found := _LAST.search(bare)) and (named := _named(found[1])):
        language, bare, text = named, bare[: found.start()], bare[: found.start()]
        marked = True
    how = _HOW.match(text)
    if language and (how is None or _ANY.search(text)):
        return None if _FIRST.match(question.strip()) else _plain(question)
    if not marked:
        text = text if language in _MARKED or _of_marks(text) else bare
    if how is not None:
        rest = text[how.end() :]
        there = f" in {language}" if _WRITTEN.search(rest.rstrip("?")) and marked else f" [{language}]"
        return f"how to {rest}{there if language else ''}" if rest else None
    return _plain(text)


def _plain(text: str) -> str:
    """A question that has no frame: as it is, but for its first letter and a mark at its end."""
    said = _THANKS.sub("", _GREETING.sub("", text.strip()))
    if re.search(r"\w\?$", said) and not _of_marks(said):
        said = said[:-1]
    first, _, rest = said.partition(" ")
    asked = f"{first.lower() if first.lower() in _WORDS else first} {rest}".strip()
    return _SHORTENED.sub(lambda found: f"{found[1]} is ", asked)


def _named(text: str) -> str:
    """The language that is called `text`, "" where that may be something else: a single letter in lower case."""
    return "" if len(text) == 1 and text.islower() else _NAMES.get(text.lower(), "")


def _of_marks(text: str) -> bool:
    """Whether a text is about a language whose names may end in a mark."""
    return any(_NAMES[found[0].lower()] in _MARKED for found in _ANY.finditer(text))
