"""When two questions in other words are the same: a rule without a model, made to refuse.

Embeddings do not tell "list to set" from "set to list", nor a question from its negation (measured: on minimal edits
of coding questions the cosine of a common model is worth a coin's toss). So nothing is measured here. A question is
brought into a normal form, and two are the same where their forms are equal: letter case, politeness, the frame of a
question ("how do I", "what is the best way to"), articles, final marks and well-known abbreviations go. Everything else
stays, in its order: each identifier, number, path, quote, negation, preposition, verb and noun. One thing may stand at
either end: the language that it is asked for ("in Python, how …", "how … using Python"). "A Python script" is another
thing than a script in Python, and stays where it is.
"""

from __future__ import annotations

import re

# No question that one would ask twice is longer.
LONGEST = 400
_QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"|'[^'\s][^']*'")
_WORD = re.compile(r"[^\s,;:!?()\[\]{}]+")
_FRAME = re.compile(
    r"^(?:(?:hi|hello|hey|please|pls|ok|okay|so|thanks)[,.! ]+)*"
    r"(?:(?:can|could|would|will) you (?:please |kindly )?(?:tell|show|explain to|explain) ?(?:me|us)? ?"
    r"|(?:please |pls )?(?:tell|show|explain to|explain) (?:me|us) ?|i(?:'d| would) like to know "
    r"|do you know |i want to know )?"
    r"(?P<how>(?:what(?:'s| is| are) (?:the |a )?"
    r"(?:best |right |correct |proper |easiest |simplest |usual |recommended )?"
    r"(?:ways?|methods?) (?:to|of|for)|(?:how|the way) (?:do|can|could|should|would|might) (?:i|you|we|one)|how to"
    r"|is there (?:a|any) way to|(?:i|we) (?:want|need) to|(?:i'm|i am|we are|we're) trying to"
    r"|(?:what|which) (?:do i|should i) (?:do|use) to)(?= )"
    r")?",
)
_TAIL = re.compile(r"(?:[,.! ]+(?:please|pls|thanks|thank you|thx|cheers))*[?.! ]*$")
# Words that say nothing in front of a noun.
_EMPTY = frozenset(("a", "an", "the", "my", "please", "just", "simply"))
# The same thing by its short name.
_SHORT = {
    "js": "javascript", "ts": "typescript", "py": "python", "golang": "go", "postgres": "postgresql",
    "k8s": "kubernetes", "dir": "directory", "folder": "directory", "repo": "repository", "dict": "dictionary",
    "regex": "regular-expression", "regexp": "regular-expression", "db": "database", "config": "configuration",
    "docs": "documentation", "args": "arguments", "params": "parameters", "env": "environment", "func": "function",
    "fn": "function", "str": "string", "int": "integer", "bool": "boolean", "char": "character", "var": "variable",
    "vars": "variables", "dirs": "directories", "folders": "directories", "repos": "repositories",
    "dicts": "dictionaries", "funcs": "functions", "python3": "python", "what's": "what is", "isn't": "is not",
    "aren't": "are not", "don't": "do not", "doesn't": "does not", "can't": "can not", "cannot": "can not",
    "won't": "will not", "shouldn't": "should not",
}  # fmt: skip
# What may be said at either end, as what an answer is to be written in.
_LANGUAGE = (
    r"python|javascript|typescript|golang|go|rust|java|kotlin|swift|ruby|php|perl|bash|sql|numpy|pandas"
    r"|c\+\+|c#|js|ts|py"
)
_BEFORE = re.compile(rf"^(?:in|using|with) ({_LANGUAGE})[,:]? (?=\S)")
_BEHIND = re.compile(rf"[, ]+(?:in|using|with) ({_LANGUAGE})$")


def normal_form(question: str) -> str | None:
    """What two askings of one question have in common; None for what is no short question."""
    text = " ".join(question.split())
    if not text or len(text) > LONGEST or "```" in question or "\n\n" in question.strip():
        return None
    quotes: list[str] = []

    def keep(found: re.Match[str]) -> str:
        quotes.append(found[0][1:-1])
        return f"\x00{len(quotes) - 1}\x00"

    # What is quoted keeps its letter case; so does whatever looks like a name out of code.
    lowered = _TAIL.sub("", _lowered(_QUOTED.sub(keep, text)).strip())
    language = ""
    for place in (_BEFORE, _BEHIND):
        if not language and (found := place.search(lowered)):
            language, lowered = _SHORT.get(found[1], found[1]), place.sub("", lowered)
    framed = _FRAME.match(lowered)
    how = bool(framed and framed["how"])
    rest = lowered[framed.end() if framed else 0 :].strip()
    words = [word for said in _WORD.findall(rest) for word in _expanded(said.rstrip(".")).split()]
    words = [word for word in words if word not in _EMPTY and word]
    if not words:
        return None
    restored = [re.sub(r"\x00(\d+)\x00", lambda found: f"`{quotes[int(found[1])]}`", word) for word in words]
    return " ".join(["how to" if how else "", *restored, f"[{language}]" if language else ""]).strip()


def _expanded(word: str) -> str:
    return _SHORT.get(word, word)


def _lowered(text: str) -> str:
    """The text in lower case but for names out of code: those with a capital, a sign or a digit within."""
    return " ".join(word if _named(word) else word.lower() for word in text.split(" "))


def _named(word: str) -> bool:
    bare = word.strip(",.;:!?()[]{}")
    inside = re.search(r"[a-z][A-Z]|[_./\\$@#<>=+*&|%~^-]|\d|\x00", bare)
    return inside is not None or (len(bare) > 1 and bare.isupper())
