"""A Chat Completions request, read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lynkr.conversation import (
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
    Turn,
)
from lynkr.document import Trail
from lynkr.formats.openai import cache_mark, data_url
from lynkr.formats.values import dicts, dumps, flag, number, objects, optional, text, texts, whole, wrong
from lynkr.formats.watch import member
from lynkr.lane import Format

# Fields that have a place in a Conversation, or say nothing about the answer.
_KNOWN = frozenset(
    [
        "model",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "response_format",
        "reasoning_effort",
        "verbosity",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "service_tier",
        "stream",
        "stream_options",
        "store",
        "metadata",
        "prompt_cache_retention",
        "functions",
        "function_call",
        "reasoning",
    ]
)


def read_request(body: dict[str, Any], trail: Trail | None = None) -> Conversation:
    """The conversation in a request's body. Raises ClientError where it makes no sense."""
    return (trail or Trail()).read(objects(body.get("messages"), "messages"), _Reader()).conversation(body)


@dataclass(slots=True)
class _Reader:
    turns: list[Turn] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # call → tool
    custom: set[str] = field(default_factory=set)  # calls of custom tools

    def conversation(self, body: dict[str, Any]) -> Conversation:
        turns = self.turns
        leading = next((n for n, turn in enumerate(turns) if turn.role != "system"), len(turns))
        system = tuple(part for turn in turns[:leading] for part in turn.parts if isinstance(part, Text))
        tools = [_tool(tool, f"tools.{n}") for n, tool in enumerate(objects(body.get("tools"), "tools"))]
        tools += [
            _function(tool, f"functions.{n}") for n, tool in enumerate(objects(body.get("functions"), "functions"))
        ]
        stop = body.get("stop")
        rest = {name: value for name, value in body.items() if name not in _KNOWN and value is not None}
        if rest.get("n") == 1:
            del rest["n"]
        return Conversation(
            model=text(body, "model"),
            system=system,
            turns=tuple(turns[leading:]),
            tools=tuple(tools),
            choice=_choice(body.get("tool_choice", body.get("function_call"))),
            parallel=flag(body, "parallel_tool_calls"),
            max_output=whole(body, "max_completion_tokens") or whole(body, "max_tokens"),
            stop=(stop,) if isinstance(stop, str) else texts(stop),
            sampling=Sampling(
                number(body, "temperature"),
                number(body, "top_p"),
                whole(body, "top_k"),
                whole(body, "seed"),
                number(body, "presence_penalty"),
                number(body, "frequency_penalty"),
            ),
            reasoning=_reasoning(body),
            output=_output(member(body, "response_format")),
            verbosity=optional(body, "verbosity"),
            user=optional(body, "safety_identifier") or optional(body, "user"),
            cache_key=optional(body, "prompt_cache_key"),
            service_tier=optional(body, "service_tier"),
            stream=body.get("stream") is True,
            wants_usage=member(body, "stream_options").get("include_usage") is True,
            rest=rest,
        )

    def take(self, messages: list[dict[str, Any]], n: int) -> None:
        role, turn = messages[n].get("role"), self.turn(messages[n], f"messages.{n}")
        # Results of one round stand in messages of their own here.
        if n and role in ("tool", "function") and messages[n - 1].get("role") == role:
            begun = self.turns[-1].span or (n, n)
            self.turns[-1] = replace(self.turns[-1], parts=self.turns[-1].parts + turn.parts, span=(begun[0], n + 1))
        else:
            self.turns.append(replace(turn, span=(n, n + 1)))

    def turn(self, message: dict[str, Any], at: str) -> Turn:
        match message.get("role"):
            case "system" | "developer":
                return self.plain("system", message, at)
            case "user":
                return self.plain("user", message, at)
            case "assistant":
                return Turn("assistant", tuple(self.said(message, at)))
            case "tool":
                call_id = text(message, "tool_call_id")
                parts = tuple(_parts(message.get("content"), at))
                kind = "custom" if call_id in self.custom else "function"
                return Turn("user", (Result(call_id, parts, name=self.names.get(call_id, ""), kind=kind),))  # type: ignore[arg-type]
            case "function":
                name = text(message, "name")
                return Turn("user", (Result(f"call_{name}", (Text(text(message, "content")),), name=name),))
        raise wrong(f"{at}.role", "must be system, developer, user, assistant or tool")

    def plain(self, role: Role, message: dict[str, Any], at: str) -> Turn:
        return Turn(role, tuple(_parts(message.get("content"), at)))

    def said(self, message: dict[str, Any], at: str) -> Iterator[Part]:
        # What is said of reasoning comes first: it is what the answer rests on.
        thoughts = optional(message, "reasoning_content") or optional(message, "reasoning")
        if details := dicts(message.get("reasoning_details")):
            yield Thinking(thoughts or "", Seal("chat.details", dumps(details)))
        elif thoughts:
            yield Thinking(thoughts, Seal("chat.reasoning", ""))
        for part in _parts(message.get("content"), at):
            if isinstance(part, Opaque) and part.what == "thinking":  # Mistral's way
                yield _thoughts(part.value)
            else:
                yield part
        if refusal := optional(message, "refusal"):
            yield Text(refusal)
        for n, call in enumerate(objects(message.get("tool_calls"), f"{at}.tool_calls")):
            yield self.call(call, f"{at}.tool_calls.{n}")
        if legacy := member(message, "function_call"):
            name = text(legacy, "name")
            yield Call(f"call_{name}", name, text(legacy, "arguments"))

    def call(self, call: dict[str, Any], at: str) -> Call:
        call_id, custom = text(call, "id"), call.get("type") == "custom"
        said = member(call, "custom" if custom else "function")
        name = text(said, "name")
        if not name:
            raise wrong(at, "has no name")
        self.names[call_id] = name
        if custom:
            self.custom.add(call_id)
            return Call(call_id, name, text(said, "input"), "custom")
        signature = text(member(member(call, "extra_content"), "google"), "thought_signature")
        seal = Seal("chat.signature", signature) if signature else None
        return Call(call_id, name, text(said, "arguments"), seal=seal)


def _parts(content: object, at: str) -> Iterator[Text | Media | Opaque]:
    if isinstance(content, str):
        yield Text(content)
        return
    for n, part in enumerate(objects(content, f"{at}.content")):
        match part.get("type"):
            case "text" | "input_text" | "output_text":
                yield Text(text(part, "text"), cache_mark(part))
            case "refusal":
                yield Text(text(part, "refusal"))
            case "image_url":
                image = member(part, "image_url")
                mime, data, url = data_url(text(image, "url"), "image/*")
                detail = optional(image, "detail")
                yield Media("image", mime, data, url, detail=detail, cache=cache_mark(part))
            case "input_audio":
                audio = member(part, "input_audio")
                yield Media("audio", f"audio/{text(audio, 'format') or 'wav'}", text(audio, "data"))
            case "file":
                file = member(part, "file")
                mime, data, url = data_url(text(file, "file_data"), "application/pdf")
                name = optional(file, "filename")
                yield Media("document", mime, data, url, optional(file, "file_id"), name, cache=cache_mark(part))
            case kind:
                if not isinstance(kind, str):
                    raise wrong(f"{at}.content.{n}.type", "is missing")
                yield Opaque(Format.OPENAI_CHAT, kind, part)


def _thoughts(part: dict[str, Any]) -> Thinking:
    words = "".join(text(piece, "text") for piece in dicts(part.get("thinking")))
    return Thinking(words, Seal("chat.reasoning", ""))


def _tool(tool: dict[str, Any], at: str) -> Tool | Opaque:
    match tool.get("type", "function"):
        case "function":
            return replace(_function(member(tool, "function"), f"{at}.function"), cache=cache_mark(tool))
        case "custom":
            said = member(tool, "custom")
            grammar = member(said, "format") or None
            return Tool(text(said, "name"), text(said, "description"), kind="custom", format=grammar)
    return Opaque(Format.OPENAI_CHAT, f"tool {text(tool, 'type')}", tool)


def _function(said: dict[str, Any], at: str) -> Tool:
    if not text(said, "name"):
        raise wrong(f"{at}.name", "is missing")
    schema = said.get("parameters")
    schema = schema if isinstance(schema, dict) else None
    return Tool(text(said, "name"), text(said, "description"), schema, strict=flag(said, "strict"))


def _choice(choice: object) -> Choice | None:
    match choice:
        case "auto":
            return Choice("auto")
        case "required" | "any":
            return Choice("any")
        case "none":
            return Choice("none")
        case {"function": {"name": str(name)}}:
            return Choice("any", (name,))
        case {"type": "function" | "custom" as kind, **said}:
            inner = said.get(kind)
            return Choice("any", (text(inner, "name"),)) if isinstance(inner, dict) else None
        case {"type": "allowed_tools", "allowed_tools": dict(allowed)}:
            tools = objects(allowed.get("tools"), "tool_choice.allowed_tools.tools")
            names = tuple(text(member(tool, text(tool, "type")), "name") for tool in tools)
            return Choice("any" if allowed.get("mode") == "required" else "auto", names)
        case {"name": str(name)}:  # function_call, as it was before there were tools
            return Choice("any", (name,))
    return None


def _reasoning(body: dict[str, Any]) -> Reasoning:
    effort, router = optional(body, "reasoning_effort"), member(body, "reasoning")
    if effort is None and router:  # OpenRouter's way
        budget = whole(router, "max_tokens")
        off = router.get("enabled") is False or router.get("effort") == "none"
        shown = None if (hidden := flag(router, "exclude")) is None else not hidden
        return Reasoning("off" if off else "budget" if budget else None, budget, optional(router, "effort"), shown)
    return Reasoning("off" if effort == "none" else None, effort=effort)


def _output(form: dict[str, Any]) -> Output | None:
    if form.get("type") == "json_object":
        return Output()
    if form.get("type") != "json_schema":
        return None
    said = member(form, "json_schema")
    return Output(member(said, "schema"), text(said, "name") or "answer", flag(said, "strict"))
