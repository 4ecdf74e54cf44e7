"""Takes sealed thoughts out of a request that another lane's model has made: nobody else can read them.

Anthropic's API ignores them at best and refuses the request at worst; OpenAI's refuses reasoning of another account. A
translated request loses them anyway; this is for lanes that share a format. What is taken out is decided by which lane
gave which answer, so it is the same in every later request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lynkr.document import Document, Edit
from lynkr.formats import CODECS
from lynkr.formats.values import dumps, numbered
from lynkr.lane import Format

_SEALED = frozenset(("thinking", "redacted_thinking"))


def thoughts_of_others(document: Document, spoken: Format, made: Sequence[tuple[int, str]], lane: str) -> list[Edit]:
    """The edits that take them out. `made` says from which element of the conversation on which lane has answered."""
    if all(name == lane for _, name in made) or spoken not in (Format.ANTHROPIC, Format.OPENAI_RESPONSES):
        return []
    talk = CODECS[spoken].TALK
    node = document.members.get(talk)
    elements = numbered(node.value if node else None)
    if node is None or not elements:
        return []
    foreign = [(n, element) for n, element in elements if _maker(made, n) not in ("", lane)]
    if spoken is Format.OPENAI_RESPONSES:
        gone = {n for n, item in foreign if item.get("type") == "reasoning"}
        kept = [item for n, item in enumerate(node.value) if n not in gone]
        return [Edit(node.start, node.end, dumps(kept))] if gone else []
    edits = list[Edit]()
    for n, message in foreign:
        content = message.get("content")
        if message.get("role") != "assistant" or not isinstance(content, list):
            continue
        kept = [block for block in content if not _sealed(block)]
        if kept and len(kept) < len(content) and (found := document.find(talk, n, "content")):
            edits.append(Edit(found.start, found.end, dumps(kept)))
    return edits


def _sealed(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") in _SEALED


def _maker(made: Sequence[tuple[int, str]], element: int) -> str:
    """Who has said an element; "" where that is not known."""
    return next((name for start, name in reversed(made) if element >= start), "")
