"""Who asks: the main loop, a subagent, or the tool's housekeeping; and which conversation it is.

Clients that say so are believed (Claude Code's headers, Codex' turn metadata); of the others the shape of the request
tells. A conversation is known by what the client calls it and by what its user said first: the beginning never changes
while it goes on, because the provider's cache depends on it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lynkr.conversation import Conversation, Text, Turn
from lynkr.routing.settings import Who

# What nobody sees the work of: it may go to whoever is cheapest. Compaction is not among it: what it leaves out is gone
# for the rest of the conversation, and the lane that has the conversation in its cache reads it for a tenth of the
# price.
HOUSEKEEPING: frozenset[Who] = frozenset(("title", "summary", "probe", "classifier", "commit", "auxiliary"))

_CLASSES: dict[str, Who] = {"main": "main", "subagent": "subagent", "compaction": "compaction"}
_THREADS: dict[str, Who] = {"user": "main", "subagent": "subagent", "thread_title": "title", "review": "subagent"}
# By these a client names a conversation. A user's id is none: it is the same in all of them, or another each time.
_IDS = ("x-claude-code-session-id", "x-claude-code-agent-id", "thread-id", "session-id", "x-session-id")
_AGENT = "x-claude-code-agent-id"

# What tools put among a user's words.
_ADDED = re.compile(
    r"<(system-reminder|environment_context|user_instructions|INSTRUCTIONS|permissions instructions|ide_\w+"
    r"|local-command-\w+|collaboration_mode|skills_instructions|apps_instructions|plugins_instructions)\b[^<>]*>"
    r"|^# AGENTS\.md instructions[^\n]*",
    re.MULTILINE,
)
# What a request without tools is for, by the words of its instructions.
_CHORES: tuple[tuple[Who, re.Pattern[str]], ...] = (
    ("commit", re.compile(r"\b(?:generat|writ|creat|compos|draft)\w*\b.{0,80}\bcommit message", re.I | re.S)),
    ("classifier", re.compile(
        r"\bclassif(?:y|ier)\b|\bis ?new ?topic\b|\btask rout|\bnew (?:conversation )?topic\b", re.I)),
    ("title", re.compile(
        r"\b(?:title|headline)\b.{0,80}\b(?:conversation|session|thread|chat)\b"
        r"|\b(?:conversation|session|thread|chat)\b.{0,80}\b(?:title|headline)\b", re.I | re.S)),
    ("summary", re.compile(r"\bsummar(?:y|i[sz]e|i[sz]ing)\b", re.I)),
)  # fmt: skip
_COMPACTS = re.compile(
    r"\b(?:summary|summari[sz]e|prompt for continuing|handoff)\b.{0,60}\b(?:our|the|this) conversation"
    r"|context checkpoint",
    re.IGNORECASE | re.DOTALL,
)
_PROBES = frozenset(("quota", "test", "ping", "warmup", "hi", "hello", "foo"))
# A probe's answer is this short, and a chore's request has no more words of instructions.
_PROBE_OUTPUT, _INSTRUCTIONS = 16, 4000
# What a request is for is said first; what an agent may do besides comes later.
_TASK = 400
# At the beginning or the end of what a user has typed: in the middle it may be part of a text that was pasted.
_TIER = r"/tier[ =:](simple|medium|complex|reasoning|auto)"
_FIRST, _LAST = re.compile(rf"{_TIER}(?=\s|\Z)"), re.compile(rf"(?:\s|\A){_TIER}\Z")
_MARK = 32  # characters that it has at most


class Asking(NamedTuple):
    """One request's place. `prompt` are the user's last words; `fresh` says that they are new in this request, not
    the results of calls; `begins` that nothing was answered before. `marked` is what the last `/tier` said."""

    who: Who
    key: str
    prompt: str
    fresh: bool
    begins: bool
    marked: str | None = None


def asking(conversation: Conversation, named: Mapping[str, str]) -> Asking:
    """Who asks in `conversation`, that came with the headers `named` (lower case)."""
    metadata = _metadata(named)
    first, last, fresh, said = "", "", False, None
    answered = False
    for turn in conversation.turns:
        if turn.role == "assistant":
            answered, fresh = True, False
        elif turn.role == "user" and (words := human(turn)):
            if not answered:
                first += words
            last, fresh = words, True
            for part in turn.parts:
                said = (marked(part.text) if isinstance(part, Text) else None) or said
    who = _who(conversation, named, metadata, last)
    ids = [value for name in _IDS if (value := named.get(name))] + [conversation.cache_key or ""]
    ids += [str(metadata.get(name, "")) for name in ("session_id", "thread_id")]
    key = hashlib.sha256("\0".join([*ids, first]).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Asking(who, key, unmarked(last), fresh, not answered, said)


def human(turn: Turn) -> str:
    """What a user's turn says in the user's own words."""
    own = (_own(part.text) for part in turn.parts if isinstance(part, Text))
    return "\n".join(text for text in own if text)


def _own(text: str) -> str:
    """A text without what tools have added to it."""
    return "".join(text[start:end] for start, end in _spans(text)).strip()


def _spans(text: str) -> list[tuple[int, int]]:
    """Where a text is the user's own. Each tag's end is looked for once: a text may hold thousands that never end."""
    if "<" not in text and not text.startswith("# AGENTS"):
        return [(0, len(text))]
    spans, at, endless = list[tuple[int, int]](), 0, set[str]()
    for found in _ADDED.finditer(text):
        tag = found[1]
        if found.start() < at or tag in endless:
            continue
        end = found.end() if tag is None else text.find(f"</{tag}>", found.end())
        if end < 0:
            endless.add(tag)
            continue
        spans.append((at, found.start()))
        at = end if tag is None else end + len(tag) + 3
    return [*spans, (at, len(text))]


def _mark(text: str) -> tuple[str, int, int] | None:
    """The tier that a user's text names at its own beginning or end, and where that stands; None where it does not."""
    if "/tier" not in text:
        return None
    spans = [(start, end) for start, end in _spans(text) if text[start:end].strip()]
    if not spans:
        return None
    end = spans[-1][0] + len(text[slice(*spans[-1])].rstrip())
    if found := _LAST.search(text, max(spans[-1][0], end - _MARK), end):
        return found[1], found.start(), end
    start = spans[0][1] - len(text[slice(*spans[0])].lstrip())
    if found := _FIRST.match(text, start, spans[0][1]):
        return found[1], start, found.end()
    return None


def marked(text: str) -> str | None:
    """The tier that a user's text names with `/tier`, at its end or its beginning; `auto` gives the choice back."""
    found = _mark(text)
    return found[0] if found else None


def unmarked(text: str) -> str:
    """A user's text without the marker that names a tier; itself where nothing else of the user's would be left."""
    rest = text
    while found := _mark(rest):
        before, after = rest[: found[1]].rstrip(), rest[found[2] :]
        rest = before + (after if before and after.strip() else after.strip() and after.lstrip())
    return rest if _own(rest) else text


def _metadata(named: Mapping[str, str]) -> Mapping[str, Any]:
    """What Codex says of a turn, in a header."""
    try:
        value = json.loads(named.get("x-codex-turn-metadata", "{}"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _who(conversation: Conversation, named: Mapping[str, str], metadata: Mapping[str, Any], last: str) -> Who:
    if conversation.summary or metadata.get("request_kind") == "compaction":
        return "compaction"
    said = _CLASSES.get(named.get("x-claude-code-request-class", "")) or _THREADS.get(
        str(metadata.get("thread_source"))
    )
    if said is not None:
        return said
    if "safeguards" in conversation.rest:
        return "main"  # whether a call is safe is the conversation's own model to say
    if chore := _chore(conversation, last):
        answered = any(turn.role == "assistant" for turn in conversation.turns)
        return "compaction" if chore == "summary" and answered else chore
    if named.get("x-claude-code-request-class") == "auxiliary":
        # Something of the tool's own; where it is large it may be a judgement on the conversation.
        return "auxiliary" if len(conversation.turns) == 1 and len(last) < _INSTRUCTIONS else "main"
    if conversation.tools and len(conversation.turns) > 2 and _COMPACTS.search(last[:600]):
        return "compaction"
    return "subagent" if named.get(_AGENT) else "main"


def _chore(conversation: Conversation, last: str) -> Who | None:
    """What a request is for that offers no tools, or forbids them."""
    if conversation.tools and not (conversation.choice and conversation.choice.mode == "none"):
        return None
    short = (conversation.max_output or 0) in range(1, _PROBE_OUTPUT + 1)
    if short and len(conversation.turns) == 1 and (conversation.max_output == 1 or last.lower() in _PROBES):
        return "probe"
    told = "\n".join(part.text for part in conversation.system)
    told += "".join(
        part.text
        for turn in conversation.turns
        if turn.role == "system"
        for part in turn.parts
        if isinstance(part, Text)
    )
    named = set((conversation.output.schema or {}).get("properties", ())) if conversation.output else set()
    if "title" in named and len(named) <= 2:
        return "title"
    if not told or len(told) > _INSTRUCTIONS:
        return None  # a user's own words, or a whole agent's instructions: aider's edits come without tools
    return next((who for who, pattern in _CHORES if pattern.search(told[:_TASK])), None)
