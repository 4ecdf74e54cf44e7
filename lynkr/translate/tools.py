"""Tools as a plain format has them: one flat list of functions with legal names, and the way back.

Namespaces go into the name, freeform tools become functions with one text, deferred tools are left out until something
refers to them and then stand at the end, so that the list only ever grows at its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import NamedTuple

from lynkr.changes import Changes
from lynkr.conversation import (
    Call,
    Choice,
    Conversation,
    Media,
    Opaque,
    Part,
    Reference,
    Result,
    Text,
    Tool,
    ToolKind,
    Turn,
)
from lynkr.formats.values import dumps

INPUT = "input"
_FREEFORM = {
    "type": "object",
    "properties": {INPUT: {"type": "string", "description": "The tool's whole input, as plain text."}},
    "required": [INPUT],
    "additionalProperties": False,
}
# Claude Code's stand-in for tools that are not there yet; nothing can call it.
_PLACEHOLDER = "DeferredToolPlaceholder"
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_HASH = 8


class Original(NamedTuple):
    """What a tool is called at the client's."""

    name: str
    namespace: str | None
    kind: ToolKind


@dataclass(slots=True)
class Names:
    """Names as they were told to the lane → the client's own; and the ids of calls that are taken."""

    tools: dict[str, Original] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)


def fold(
    c: Conversation, names_like: re.Pattern[str], ids_like: re.Pattern[str], *, deferred: bool, changes: Changes
) -> tuple[Conversation, Names]:
    """The conversation with plain tools only, and the names to restore answers by.

    `deferred` says that the lane knows deferred tools, so that they stay what they are.
    """
    folding = _Folding(names_like, ids_like, deferred, changes)
    tools = folding.tools(c)
    turns = tuple(folding.turn(turn) for turn in c.turns)
    folded = replace(c, tools=tools, turns=turns, choice=folding.choice(c.choice, tools))
    return folded, folding.names


@dataclass(slots=True)
class _Folding:
    names_like: re.Pattern[str]
    ids_like: re.Pattern[str]
    deferred: bool
    changes: Changes
    names: Names = field(default_factory=Names)
    told: dict[tuple[str | None, str], str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)  # call → the tool's name as it was told

    def tools(self, c: Conversation) -> tuple[Tool | Opaque, ...]:
        if not self.deferred and any(isinstance(tool, Tool) and tool.deferred for tool in c.tools):
            self.changes.change("deferred tools", "shown once they were found")
        shown = _visible(c, self.deferred)
        return tuple(self.tool(tool) if isinstance(tool, Tool) else tool for tool in shown)

    def tool(self, tool: Tool) -> Tool:
        name = self.name(tool.namespace, tool.name, tool.kind)
        if tool.kind == "custom":
            self.changes.change("freeform tools", "as functions with one text")
            return replace(
                tool, name=name, namespace=None, kind="function", schema=_FREEFORM, format=None, strict=None,
                description=_with_grammar(tool),
            )  # fmt: skip
        return replace(tool, name=name, namespace=None, kind="function")

    def name(self, namespace: str | None, name: str, kind: ToolKind) -> str:
        if known := self.told.get((namespace, name)):
            return known
        full = f"{namespace}__{name}" if namespace else name
        if namespace:
            self.changes.change("tool namespaces", "in the tools' names")
        legal = full
        if not self.names_like.fullmatch(full) or full in self.names.tools:
            mark = sha256(dumps([namespace, name]).encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
            legal = f"{_NOT_IN_A_NAME.sub('_', full)[: 62 - _HASH]}_{mark}"
            # Some take no name that begins with a digit or a dash.
            legal = legal if self.names_like.fullmatch(legal) else f"_{legal}"
            self.changes.change("tool names", "shortened or spelt as this lane takes them")
        self.told[namespace, name] = legal
        self.names.tools[legal] = Original(name, namespace, kind)
        return legal

    def turn(self, turn: Turn) -> Turn:
        return replace(turn, parts=tuple(self.part(part) for part in turn.parts))

    def part(self, part: Part) -> Part:
        if isinstance(part, Call):
            given = dumps({INPUT: part.arguments}) if part.kind == "custom" else part.arguments
            name = self.called[part.id] = self.name(part.namespace, part.name, part.kind)
            return replace(part, id=self.id(part.id), name=name, namespace=None, kind="function", arguments=given)
        if isinstance(part, Result):
            known = self.called.get(part.call_id) or self.told.get((None, part.name), part.name)
            inner = part.parts if self.deferred else _told(part, self.told)
            return replace(part, call_id=self.id(part.call_id), name=known, parts=inner, kind="function", tools=())
        return part

    def id(self, given: str) -> str:
        if given not in self.ids:
            legal = given
            if not self.ids_like.fullmatch(given):
                legal = "call_" + sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:24]
            self.ids[given] = legal
            self.names.ids.add(given)
        return self.ids[given]

    def choice(self, choice: Choice | None, tools: Iterable[Tool | Opaque]) -> Choice | None:
        if choice is None or not choice.only:
            return choice
        there = {tool.name for tool in tools if isinstance(tool, Tool)}
        only = tuple(legal for (_, name), legal in self.told.items() if name in choice.only and legal in there)
        if not only:
            self.changes.drop("tool_choice", "the tool that it names is not there")
            return Choice("auto")
        return replace(choice, only=only)


def _visible(c: Conversation, deferred: bool) -> Iterator[Tool | Opaque]:
    """The tools that the model is shown, each once, those that were found later behind all others."""
    seen = set[tuple[str | None, str]]()
    waiting: dict[str, Tool] = {}
    for tool in c.tools:
        if isinstance(tool, Opaque):
            yield tool
        elif tool.deferred and not deferred:
            waiting[tool.name] = tool
        elif (tool.namespace, tool.name) not in seen:
            seen.add((tool.namespace, tool.name))
            yield tool
    if deferred:
        return
    for turn in c.turns:
        for part in turn.parts:
            if not isinstance(part, Result):
                continue
            found = [
                waiting[inner.tool] for inner in part.parts if isinstance(inner, Reference) and inner.tool in waiting
            ]
            for tool in (*found, *part.tools):
                if (tool.namespace, tool.name) not in seen and tool.name != _PLACEHOLDER:
                    seen.add((tool.namespace, tool.name))
                    yield replace(tool, deferred=False)


def _told(result: Result, told: Mapping[tuple[str | None, str], str]) -> tuple[Text | Media | Reference | Opaque, ...]:
    """A result's parts with references as words."""
    found = [told.get((None, part.tool), part.tool) for part in result.parts if isinstance(part, Reference)]
    found += [told.get((tool.namespace, tool.name), tool.name) for tool in result.tools]
    kept: list[Text | Media | Reference | Opaque] = [part for part in result.parts if not isinstance(part, Reference)]
    if found:
        kept.append(Text("Found, and can be called from now on: " + ", ".join(found)))
    return tuple(kept)


def _with_grammar(tool: Tool) -> str:
    form = tool.format or {}
    grammar = form.get("definition")
    if not isinstance(grammar, str):
        return tool.description
    syntax = form.get("syntax", "")
    return f"{tool.description}\n\nThe input must fit this {syntax} grammar:\n{grammar}".strip()
