"""A request on its way to a lane: patched where the format is the same, written anew where it is another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from lynkr.changes import Changes
from lynkr.conversation import Conversation, Opaque, Reference, Result, Thinking, Tool, Turn
from lynkr.document import Document, Edit
from lynkr.formats import Codec, Speech
from lynkr.formats.values import dump, dumps
from lynkr.lane import Format
from lynkr.target import Capabilities, Target
from lynkr.translate.breakpoints import with_breakpoints
from lynkr.translate.order import settled
from lynkr.translate.tools import Names, fold

# What is asked for where nothing special is.
_ORDINARY_TIERS = (None, "auto", "default")

Fit = Callable[[Conversation, Target, Changes], Conversation]


class Written(NamedTuple):
    """A request for another format: its body, and the names to restore answers by."""

    body: bytes
    names: Names


def write(c: Conversation, speech: Speech, target: Target, fit: Fit, changes: Changes) -> Written:
    """`c` in the format of `speech`, as `target` takes it. Raises ClientError where it cannot be said."""
    for name in (*c.rest, *(("billing header",) if c.billing else ())):
        changes.drop(name, "only its own format has it")
    system = tuple(part for part in c.system if part.text.strip())
    if c.service_tier not in _ORDINARY_TIERS:
        changes.drop("service_tier", "tiers of one provider mean nothing to another")
    c = settled(with_cache(replace(c, rest={}, billing=None, service_tier=None, system=system)))
    c = fit(with_breakpoints(c, changes) if target.can.cache_marks else c, target, changes)
    c, names = fold(c, speech.TOOL_NAME, speech.CALL_ID, deferred=target.can.deferred_tools, changes=changes)
    return Written(dump(_welcome(speech.write_request(c, target, changes), target.can, changes)), names)


def _welcome(body: dict[str, Any], can: Capabilities, changes: Changes) -> dict[str, Any]:
    """A body without the members that this lane refuses."""
    unwelcome = [name for name in body if can.unwelcome(name)]
    for name in unwelcome:
        if name != "stream_options":  # which is ours: figures come all the same
            changes.drop(name, "this lane refuses it")
    return {name: value for name, value in body.items() if name not in unwelcome} if unwelcome else body


def needs_writing(c: Conversation, target: Target) -> bool:
    """Whether a request cannot be patched although its format is the lane's: its tools are of kinds that the model has
    no notion of, and the answer's calls must be restored."""
    plain = target.can.plain_tools
    return plain and any(isinstance(tool, Tool) and (tool.kind != "function" or tool.namespace) for tool in c.tools)


def patch(
    document: Document,
    c: Conversation,
    codec: Codec,
    target: Target,
    fit: Fit,
    changes: Changes,
    *,
    counted: bool = False,
) -> list[Edit]:
    """The edits that make a request, whose format is the lane's, fit its model; every other byte stays.

    The conversation is written as it was and as it was fitted; where the two differ, the fitted one's words are put
    into the document: of settings only what differs, of lists only the elements that differ. `counted` says that its
    tokens are to be counted only, so that nothing may be added.
    """
    target = replace(target, own=True)
    fitted = fit(c, target, changes)
    if not target.can.deferred_tools and _has_deferred(c):
        fitted, _ = fold(fitted, codec.TOOL_NAME, codec.CALL_ID, deferred=False, changes=changes)
    mirror = replace(target, can=_mirror(document, codec.NAME, target.can))
    if fitted == c and mirror.can == target.can and not target.can.strange:
        return []
    silent, talk = Changes(), codec.TALK if codec.TALK in document.lists else None
    before = codec.write_request(replace(c, turns=()), mirror, silent)
    after = codec.write_request(replace(fitted, turns=()), target, silent)
    members: dict[str, Any] = {}
    edits: list[Edit] = []
    for name in dict.fromkeys((*before, *after, *c.rest)):
        node = document.members.get(name)
        old, new = before.get(name, c.rest.get(name)), after.get(name, fitted.rest.get(name))
        if old == new or name in ("model", talk) or (counted and node is None):
            continue
        if isinstance(old, list) and isinstance(new, list) and node and len(node.value) == len(old):
            edits += _list(document, name, old, new)
        else:
            members[name] = _merged(node.value if node else None, old, new)
    if target.can.rest is not None:
        # A stranger gets what can be said to him, and what we do not know of he does not either.
        known = {*after, *fitted.rest, "model", "stream", talk}
        for name, node in document.members.items():
            if name not in known and node.value:
                members[name] = None
                # What was understood has been fitted, and noted as what became of it.
                if name not in c.rest and name not in before:
                    changes.drop(name, "this lane has no such field")
        if not counted:
            # What was said in an older or shorter way is said in the one that is known there.
            fresh = {name: said for name, said in after.items() if name not in document.members}
            members |= {name: said for name, said in fresh.items() if name not in ("model", "stream", talk)}
    for name, node in document.members.items():
        if target.can.unwelcome(name):
            members[name] = None
            if node.value is not None:
                changes.drop(name, "this lane refuses it")
    if fitted.turns != c.turns and talk:
        edits += _turns(document, talk, c, fitted, codec, target)
    return edits + document.edits_of(members)


def _mirror(document: Document, spoken: Format, can: Capabilities) -> Capabilities:
    """Capabilities by which the client's own choice of fields is written again."""
    has = document.members
    if spoken not in (Format.OPENAI_CHAT, Format.OPENAI_RESPONSES):
        return can
    return replace(
        can,
        efforts=can.efforts or ("any",),
        output_limit="max_tokens" if "max_tokens" in has else "max_completion_tokens",
        effort_field="reasoning" if "reasoning" in has else "reasoning_effort",
        cache_key=True,
    )


def _merged(was: Any, old: Any, new: Any) -> Any:
    """`was` with the difference between `old` and `new` made in it."""
    if not (isinstance(was, dict) and isinstance(old, dict) and isinstance(new, dict)):
        return new
    merged = dict(was)
    for name in {**old, **new}:
        if old.get(name) == new.get(name):
            continue
        value = _merged(was.get(name), old.get(name), new.get(name))
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged


def _list(document: Document, name: str, old: list[Any], new: list[Any]) -> list[Edit]:
    """The edits of a list: elements that stay keep their own text."""
    elements = document.elements(name)
    if len(old) == len(new):
        return [
            Edit(element.start, element.end, dumps(is_now))
            for element, was, is_now in zip(elements, old, new, strict=True)
            if was != is_now
        ]
    node = document.members[name]
    texts = {dumps(said): document.text[e.start : e.end] for said, e in zip(old, elements, strict=True)}
    kept = [texts.get(text, text) for text in map(dumps, new)]
    return [Edit(node.start, node.end, f"[{','.join(kept)}]")]


def _turns(
    document: Document, name: str, c: Conversation, fitted: Conversation, codec: Codec, target: Target
) -> list[Edit]:
    """The edits of what was said: turns that did not change keep their own text."""
    elements = document.elements(name)

    def said(turn: Turn) -> str:
        alone = replace(fitted, turns=(turn,), system=(), tools=(), billing=None, choice=None)
        return ",".join(map(dumps, codec.write_request(alone, target, Changes())[name]))

    def instead(first: int, after: int, new: str) -> Edit:
        """Elements replaced by `new`, or, where that is nothing, taken out with the comma before them."""
        start = elements[first].start if new or not first else elements[first - 1].end
        return Edit(start, elements[after - 1].end, new)

    before = {turn.span: turn for turn in c.turns if turn.span}
    stays = {turn.span for turn in fitted.turns}
    edits = [instead(*span, "") for span in before if span and span not in stays]
    # What stands before the first turn (system messages of a format that has them here) stays there.
    at = min((turn.span[0] for turn in c.turns if turn.span), default=len(elements))
    kept = at > 0 or any(span in stays for span in before)
    for turn in fitted.turns:
        if turn.span is None:
            # A turn of ours, behind the one before it.
            place = elements[at - 1].end if at else document.members[name].start + 1
            edits.append(Edit(place, place, f",{said(turn)}" if at else said(turn) + ("," if kept else "")))
            continue
        at = turn.span[1]
        if before.get(turn.span) != turn:
            edits.append(instead(*turn.span, said(turn)))
    return edits


def _has_deferred(c: Conversation) -> bool:
    results = (part for turn in c.turns for part in turn.parts if isinstance(part, Result))
    return any(isinstance(tool, Tool) and tool.deferred for tool in c.tools) or any(
        isinstance(inner, Reference) for result in results for inner in result.parts
    )


def with_cache(c: Conversation) -> Conversation:
    """With the breakpoint that is to stand behind the last part put there."""
    if c.cache is None or not c.turns or not c.turns[-1].parts:
        return c
    last = c.turns[-1]
    end = last.parts[-1]
    if isinstance(end, Thinking | Opaque) or end.cache:
        return replace(c, cache=None)
    turn = replace(last, parts=(*last.parts[:-1], replace(end, cache=c.cache)))
    return replace(c, turns=(*c.turns[:-1], turn), cache=None)


def betas_for(value: str, taken: Mapping[str, str] | None) -> tuple[str, ...] | None:
    """Those of an `anthropic-beta` header that are taken, by their names there; None where all are."""
    if taken is None:
        return None
    given = (name.strip() for name in value.split(","))
    return tuple(dict.fromkeys(taken[name] for name in given if name in taken))
