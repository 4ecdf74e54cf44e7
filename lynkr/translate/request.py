"""A request on its way to a lane: patched where the format is the same, written anew where it is another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from lynkr.changes import Changes
from lynkr.conversation import Conversation, Reference, Result, Tool
from lynkr.document import Document, Edit
from lynkr.formats import Codec, Speech
from lynkr.formats.values import dump, dumps
from lynkr.target import Target
from lynkr.translate.order import settled
from lynkr.translate.tools import Names, fold

# What is asked for where nothing special is.
_ORDINARY_TIERS = ("auto", "default")

Fit = Callable[[Conversation, Target, Changes], Conversation]


class Written(NamedTuple):
    """A request for another format: its body, and the names to restore answers by."""

    body: bytes
    names: Names


def write(c: Conversation, speech: Speech, target: Target, fit: Fit, changes: Changes) -> Written:
    """`c` in the format of `speech`, as `target` takes it. Raises ClientError where it cannot be said."""
    for name in c.rest:
        changes.drop(name, "only its own format has it")
    tier = None if c.service_tier in _ORDINARY_TIERS else c.service_tier
    c = fit(settled(replace(c, rest={}, service_tier=tier)), target, changes)
    c, names = fold(c, speech.TOOL_NAME, speech.CALL_ID, deferred=target.can.deferred_tools, changes=changes)
    return Written(dump(speech.write_request(c, target, changes)), names)


def needs_writing(c: Conversation, target: Target) -> bool:
    """Whether a request cannot be patched although its format is the lane's: its tools are of kinds that the model has
    no notion of, and the answer's calls must be restored."""
    plain = target.can.plain_tools
    return plain and any(isinstance(tool, Tool) and (tool.kind != "function" or tool.namespace) for tool in c.tools)


def patch(document: Document, c: Conversation, codec: Codec, target: Target, fit: Fit, changes: Changes) -> list[Edit]:
    """The edits that make a request, whose format is the lane's, fit its model; every other byte stays.

    Both the conversation and the fitted one are written, and where the two differ, the fitted one's words are put into
    the document: whole members, but only those messages that differ.
    """
    fitted = fit(c, target, changes)
    if not target.can.deferred_tools and _has_deferred(c):
        fitted, _ = fold(fitted, codec.TOOL_NAME, codec.CALL_ID, deferred=False, changes=changes)
    gone = [name for name in c.rest if name not in fitted.rest and name in document.members]
    if fitted == c:
        return []
    silent = Changes()
    before, after = codec.write_request(c, target, silent), codec.write_request(fitted, target, silent)
    members: dict[str, Any] = dict.fromkeys(gone)
    edits: list[Edit] = []
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old == new or name == "model":
            continue
        node = document.members.get(name)
        if isinstance(old, list) and isinstance(new, list) and node and len(node.value) == len(old) == len(new):
            edits += _elements(document, name, old, new)
        else:
            members[name] = new
    return edits + document.edits_of(members)


def _elements(document: Document, name: str, old: list[Any], new: list[Any]) -> list[Edit]:
    """The edits of an array's elements that differ."""
    edits = []
    for n, (was, is_now) in enumerate(zip(old, new, strict=True)):
        if was != is_now and (node := document.find(name, n)) is not None:
            edits.append(Edit(node.start, node.end, dumps(is_now)))
    return edits


def _has_deferred(c: Conversation) -> bool:
    results = (part for turn in c.turns for part in turn.parts if isinstance(part, Result))
    return any(isinstance(tool, Tool) and tool.deferred for tool in c.tools) or any(
        isinstance(inner, Reference) for result in results for inner in result.parts
    )


def betas_for(value: str, taken: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Those of an `anthropic-beta` header that are taken; None where all are."""
    if taken is None:
        return None
    given = (name.strip() for name in value.split(","))
    return tuple(name for name in given if name in taken)
