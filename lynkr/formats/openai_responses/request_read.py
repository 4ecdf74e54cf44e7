"""A Responses request, read. Items of one speaker that follow each other are one turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lynkr.conversation import (
    SUMMARY,
    Call,
    Choice,
    Conversation,
    Media,
    Opaque,
    Output,
    Part,
    Reasoning,
    Result,
    Role,
    Sampling,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolKind,
    Turn,
    unwrap,
)
from lynkr.document import Trail
from lynkr.errors import ClientError
from lynkr.formats.openai import data_url
from lynkr.formats.values import dumps, flag, number, objects, optional, text, whole, wrong
from lynkr.formats.watch import member
from lynkr.lane import Format

# Fields that have a place in a Conversation, or say nothing about the answer.
_KNOWN = frozenset(
    [
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_output_tokens",
        "temperature",
        "top_p",
        "reasoning",
        "text",
        "store",
        "include",
        "prompt_cache_key",
        "prompt_cache_retention",
        "user",
        "safety_identifier",
        "metadata",
        "service_tier",
        "stream",
        "stream_options",
        "client_metadata",
        "truncation",
    ]
)
# What only the server that made it can look up.
_HELD = ("previous_response_id", "conversation", "prompt")
_CALLS: dict[str, ToolKind] = {
    "function_call": "function",
    "custom_tool_call": "custom",
    "tool_search_call": "search",
    "local_shell_call": "function",
}
_OUTPUTS = {f"{name}_output" for name in _CALLS} | {"tool_search_output"}
SEARCH = "tool_search"
# OpenAI sums a conversation up by itself when Codex asks for it; another maker's model has to be told to.
SUM_UP = (
    "The conversation is getting too long. Sum it up for the one who goes on with the work and has only your summary: "
    "the task in the user's own words, what was decided and why, what was done and found (files, commands, results "
    "that matter), what is open, and the next step. Write the summary and nothing else."
)
SUMMED_UP = "What was said before, summed up:\n\n"


def read_request(body: dict[str, Any], trail: Trail | None = None) -> Conversation:
    """The conversation in a request's body. Raises ClientError where it makes no sense."""
    for name in _HELD:
        if body.get(name) is not None:
            raise ClientError(
                f"lynkr: {name} refers to what another provider holds; this lane has another format and needs the "
                f"whole conversation in `input`"
            )
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else objects(given, "input")
    return (trail or Trail()).read(items, _Reader()).conversation(body)


@dataclass(slots=True)
class _Reader:
    calls: dict[str, Call] = field(default_factory=dict)
    tools: list[Tool | Opaque] = field(default_factory=list)  # offered in the middle
    turns: list[Turn] = field(default_factory=list)
    sealed: Seal | None = None
    summary: bool = False

    def conversation(self, body: dict[str, Any]) -> Conversation:
        leading = next((n for n, turn in enumerate(self.turns) if turn.role != "system"), len(self.turns))
        system = [part for turn in self.turns[:leading] for part in turn.parts if isinstance(part, Text)]
        if instructions := text(body, "instructions"):
            system.insert(0, Text(instructions))
        form, reasoning = member(body, "text"), member(body, "reasoning")
        return Conversation(
            model=text(body, "model"),
            system=tuple(system),
            turns=tuple(self.turns[leading:]),
            tools=(*_tools(objects(body.get("tools"), "tools")), *self.tools),
            choice=Choice("none") if self.summary else _choice(body.get("tool_choice")),
            parallel=flag(body, "parallel_tool_calls"),
            max_output=whole(body, "max_output_tokens"),
            sampling=Sampling(number(body, "temperature"), number(body, "top_p")),
            reasoning=Reasoning(
                "off" if reasoning.get("effort") == "none" else None,
                effort=optional(reasoning, "effort"),
                shown=True if optional(reasoning, "summary") not in (None, "none") else None,
            ),
            output=_output(member(form, "format")),
            verbosity=optional(form, "verbosity"),
            user=optional(body, "safety_identifier") or optional(body, "user"),
            cache_key=optional(body, "prompt_cache_key"),
            service_tier=optional(body, "service_tier"),
            stream=body.get("stream") is True,
            summary=self.summary,
            rest={
                **{name: value for name, value in body.items() if name not in _KNOWN and value is not None},
                **{f"reasoning.{name}": value for name, value in reasoning.items() if name in ("context", "mode")},
            },
        )

    def take(self, items: list[dict[str, Any]], n: int) -> None:
        count, last = len(self.turns), self.turns[-1] if self.turns else None
        self.item(items[n], f"input.{n}")
        if len(self.turns) > count:
            self.turns[-1] = replace(self.turns[-1], span=(n, n + 1))
        elif self.turns and self.turns[-1] is not last:
            self.turns[-1] = replace(self.turns[-1], span=((self.turns[-1].span or (n, n))[0], n + 1))

    def item(self, item: dict[str, Any], at: str) -> None:
        kind = text(item, "type") or "message"
        if kind == "message":
            self.message(item, at)
        elif kind in _CALLS:
            self.add("assistant", self.call(item, _CALLS[kind]))
        elif kind in _OUTPUTS:
            self.add("user", self.result(item, at))
        elif kind == "reasoning":
            if thought := self.reasoning(item):
                self.add("assistant", thought)
        elif kind == "compaction_trigger":
            self.summary = True
            self.turns.append(Turn("user", (Text(SUM_UP),)))
        elif kind == "compaction" and (held := unwrap(text(item, "encrypted_content"))) and held[0].kind == SUMMARY:
            self.turns.append(Turn("user", (Text(SUMMED_UP + held[0].data),)))
        elif kind == "additional_tools":
            self.tools += _tools(objects(item.get("tools"), f"{at}.tools"))
        elif kind == "item_reference":
            raise wrong(at, "refers to an item that another provider holds; send the item itself")
        else:
            self.add("assistant", _opaque(item, kind))

    def add(self, role: Role, part: Part) -> None:
        """Puts `part` into the turn that is being spoken."""
        last = self.turns[-1] if self.turns else None
        # Words of the user's begin a turn of their own.
        if last and last.role == role and (role == "assistant" or (last.parts and isinstance(last.parts[-1], Result))):
            self.turns[-1] = replace(last, parts=(*last.parts, part))
        else:
            self.turns.append(Turn(role, (part,)))

    def message(self, item: dict[str, Any], at: str) -> None:
        role = item.get("role")
        if role not in ("user", "assistant", "system", "developer"):
            raise wrong(f"{at}.role", "must be user, assistant, system or developer")
        parts = tuple(_parts(item.get("content"), at))
        if role == "assistant":
            for part in parts:
                self.add("assistant", part)
        else:
            self.turns.append(Turn("user" if role == "user" else "system", parts))

    def call(self, item: dict[str, Any], kind: ToolKind) -> Call:
        name = text(item, "name")
        if item["type"] == "tool_search_call":
            name, arguments = SEARCH, _json(item.get("arguments"))
        elif item["type"] == "local_shell_call":
            name, arguments = "local_shell", dumps(item.get("action", {}))
        else:
            arguments = text(item, "input" if kind == "custom" else "arguments")
        seal, self.sealed = self.sealed, None
        call = Call(text(item, "call_id"), name, arguments, kind, optional(item, "namespace"), seal)
        self.calls[call.id] = call
        return call

    def result(self, item: dict[str, Any], at: str) -> Result:
        call_id, output = text(item, "call_id"), item.get("output")
        call = self.calls.get(call_id)
        parts = tuple(_parts(output, at, "output"))
        found: tuple[Tool, ...] = ()
        if item["type"] == "tool_search_output":
            # From here on the model may call what was found: it stands in `tools`, and in the result's words.
            found = tuple(tool for tool in _tools(objects(item.get("tools"), f"{at}.tools")) if isinstance(tool, Tool))
        name, kind = (call.name, call.kind) if call else ("", "function")
        return Result(call_id, parts, name=name, kind=kind, tools=found)

    def reasoning(self, item: dict[str, Any]) -> Thinking | None:
        pieces = objects(item.get("content") or None, "content") or objects(item.get("summary") or None, "summary")
        words = "\n\n".join(text(piece, "text") for piece in pieces)
        sealed = text(item, "encrypted_content")
        if held := unwrap(sealed):
            if held[1]:
                self.sealed = held[0]
                return None
            return Thinking(words, held[0])
        kept = {"id": item.get("id"), "summary": item.get("summary") or [], "encrypted_content": sealed}
        return Thinking(words, Seal("openai.reasoning", dumps(kept)) if sealed else None)


def _parts(content: object, at: str, key: str = "content") -> Iterator[Text | Media | Opaque]:
    if isinstance(content, str):
        yield Text(content)
        return
    for part in objects(content, f"{at}.{key}"):
        match part.get("type"):
            case "input_text" | "output_text" | "text" | "summary_text":
                yield Text(text(part, "text"), "5m" if part.get("prompt_cache_breakpoint") else None)
            case "refusal":
                yield Text(text(part, "refusal"))
            case "input_image":
                mime, data, url = data_url(text(part, "image_url"), "image/*")
                yield Media("image", mime, data, url, optional(part, "file_id"), detail=optional(part, "detail"))
            case "input_file":
                mime, data, url = data_url(text(part, "file_data"), "application/pdf")
                url = url or optional(part, "file_url")
                yield Media("document", mime, data, url, optional(part, "file_id"), optional(part, "filename"))
            case "input_audio":
                audio = member(part, "input_audio")
                yield Media("audio", f"audio/{text(audio, 'format') or 'wav'}", text(audio, "data"))
            case kind:
                yield Opaque(Format.OPENAI_RESPONSES, str(kind), part)


def _json(value: object) -> str:
    return value if isinstance(value, str) else dumps(value or {})


def _opaque(item: dict[str, Any], kind: str) -> Opaque:
    """A hosted tool's call, a compaction: what stands in it for people to read goes on as words."""
    words = ""
    if kind == "web_search_call":
        query = text(member(item, "action"), "query")
        words = f"[web search: {query}]" if query else ""
    return Opaque(Format.OPENAI_RESPONSES, kind, item, words)


def _tools(given: list[dict[str, Any]], namespace: str | None = None) -> Iterator[Tool | Opaque]:
    for tool in given:
        kind = text(tool, "type")
        name, description, deferred = text(tool, "name"), text(tool, "description"), tool.get("defer_loading") is True
        if kind == "namespace":
            yield from _tools(objects(tool.get("tools"), f"tools.{name}.tools"), name)
        elif kind == "custom":
            grammar = member(tool, "format") or None
            yield Tool(name, description, None, "custom", namespace, deferred=deferred, format=grammar)
        elif kind == "function":
            schema = tool.get("parameters")
            schema = schema if isinstance(schema, dict) else None
            yield Tool(name, description, schema, "function", namespace, flag(tool, "strict"), deferred)
        elif kind == SEARCH and tool.get("execution") == "client":
            yield Tool(SEARCH, description, member(tool, "parameters"), "search")
        else:
            yield Opaque(Format.OPENAI_RESPONSES, f"tool {kind}", tool)


def _choice(choice: object) -> Choice | None:
    match choice:
        case "auto":
            return Choice("auto")
        case "required":
            return Choice("any")
        case "none":
            return Choice("none")
        case {"type": "allowed_tools", **said}:
            names = tuple(text(tool, "name") for tool in objects(said.get("tools"), "tool_choice.tools"))
            return Choice("any" if said.get("mode") == "required" else "auto", names)
        case {"type": "function" | "custom", "name": str(name)}:
            return Choice("any", (name,))
    return None


def _output(form: dict[str, Any]) -> Output | None:
    match form.get("type"):
        case "json_object":
            return Output()
        case "json_schema":
            return Output(member(form, "schema"), text(form, "name") or "answer", flag(form, "strict"))
    return None
