"""A title for a conversation, out of the words that began it, without a model.

What a person would write on a tab: the thing that is asked about, not the asking. Politeness, the request's verb and
filling words go, paths become file names, and what is left of the first clause is cut to a few words where a name would
not be lost. The same words give the same title.
"""

from __future__ import annotations

import re

_WORDS, _LONGEST = 6, 60
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TAG = re.compile(r"<[^<>\n]{1,200}>")
_URL = re.compile(r"https?://[^\s)>\]]+")
_LEAD = re.compile(
    r"^(?:(?:hi|hello|hey|ok|okay|so|now|please|pls|thanks|also|and|then|yes|no|but|or)\b[,.! ]*)*"
    r"(?:(?:can|could|would|will) (?:you|we)|i(?:'d| would) like (?:you )?to|i (?:want|need) (?:you )?to|let'?s"
    r"|we (?:need|want) to|help me(?: to)?|you (?:should|need to)|how (?:do|can|should|would) (?:i|you|we)|how to"
    r"|what(?:'s| is| are| does| do)|why (?:is|are|does|do|did)|where (?:else )?(?:is|are)|tell me(?: about)?"
    r"|explain(?: to me)?|is there(?: a way to)?|are we sure that)?[ ,]*(?:please\b[ ,]*)?",
    re.IGNORECASE,
)
# Every session is something that is built or mended: the verb says nothing.
_VERB = re.compile(
    r"^(?:please |just |also |try to |go and |quickly |first )*"
    r"(?:fix|add|address|check|investigate|implement|evaluate|debug|refactor|update|help with|look (?:at|into)|review"
    r"|analy[sz]e|write|create|make|build|find|show(?: me)?|list|explain|describe|read|run|change|remove|delete|improve"
    r"|clean up|rename|move|set ?up|use|do|get|see|test|verify|summari[sz]e|convert|migrate|install|configure|solve"
    r"|resolve|handle|generate|compare|research)\b ?",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|a|an|my|our|this|that|these|those|some|all|me|of|to|up)\b ?", re.IGNORECASE)
# Where the first thing that is asked ends.
_CLAUSE = re.compile(
    r"(?<=\S)(?:[.!?;:](?=\s|$)|\s[-\u2013\u2014]\s|,"
    r"|\s(?:and|then|so that|because|but|which|when|while|if|since|after|before|please)(?=\s|$))"
)
# A plan that is handed over has its own name.
_HEADING = re.compile(r"^#+ +(?:(?:plan|fix|feature|task|feat|bug)\b[: -]*)?(\S.*)$", re.IGNORECASE | re.MULTILINE)
_CODE = re.compile(r"^\w*[_.\d/]\w|^[a-z]+[A-Z]")
_NOUNS_FIRST = frozenset(("do", "does", "work", "works", "mean", "means", "say", "says"))
_THANKS = frozenset(("please", "pls", "thanks"))
_PATH = re.compile(r"(?<![\w.@~/-])(?:[\w.@~-]*+/)++([\w.@-]+)")


def title(text: str) -> str:
    """A title for a conversation that begins with `text`; "New session" where it says nothing."""
    words = re.sub(r"[ \t]{2,}", " ", _TAG.sub(" ", _URL.sub(_last_of_url, _FENCE.sub(" ", text))))
    heading = _HEADING.search(words)
    line = heading[1] if heading else next((each.strip() for each in words.splitlines() if re.search(r"\w", each)), "")
    said = _PATH.sub(lambda found: found[1], line.replace("`", "").strip("#*-> \t"))
    clause = _CLAUSE.split(_LEAD.sub("", said), maxsplit=1)[0].strip() or said
    named = _VERB.sub("", clause)
    while (shorter := _ARTICLE.sub("", named)) != named:
        named = shorter
    nouns, _, verb = named.rpartition(" ")
    if nouns.strip() and verb.lower() in _NOUNS_FIRST:
        named = nouns.strip()
    nouns, _, last = named.rpartition(" ")
    if nouns.strip() and last.lower().rstrip(".!?,") in _THANKS:
        named = nouns.strip()
    named = _cut(named.strip(" .,;:!?\"'")) or _cut(said) or "New session"
    return named if _CODE.match(named) else named[0].upper() + named[1:]


def _cut(text: str) -> str:
    """A few words of a text; of a script without spaces, a few letters."""
    kept = " ".join(text.split()[:_WORDS])
    kept = re.sub(r"\s(?:the|a|an|of|in|on|to|for|with|and|or|from|by|at|is|are|its|their|this|that)$", "", kept)
    return kept[:_LONGEST].rstrip()


def _last_of_url(found: re.Match[str]) -> str:
    """What a link leads to: a pull request, an issue, or the last part of its path."""
    parts = [part for part in found[0].split("?")[0].split("/")[3:] if part]
    if len(parts) >= 4 and parts[2] in ("pull", "issues"):
        return f"{parts[1]} #{parts[3]}"
    return parts[-1] if parts else found[0].partition("://")[2].strip("/")
