"""A Messages request, read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

from lynkr.conversation import (
    BILLING,
    Cache,
    Call,
    Choice,
    Conversation,
    Media,
    Opaque,
    Output,
    Part,
    Reasoning,
    Reference,
    Result,
    Role,
    Sampling,
    Seal,
    Text,
    Thinking,
    Tool,
    Turn,
    unwrap,
)
from lynkr.document import Trail
from lynkr.formats.values import dumps, flag, number, objects, optional, text, texts, whole, wrong
from lynkr.formats.watch import member
from lynkr.lane import Format

# Fields that have a place in a Conversation, or say nothing about the answer.
_KNOWN = frozenset(
    [
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "max_tokens",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "stream",
        "thinking",
        "output_config",
        "output_format",
        "service_tier",
        "metadata",
        "cache_control",
    ]
)


def read_request(body: dict[str, Any], trail: Trail | None = None) -> Conversation:
    """The conversation in a request's body. Raises ClientError where it makes no sense."""
    return (trail or Trail()).read(objects(body.get("messages"), "messages"), _Reader()).conversation(body)


@dataclass(slots=True)
class _Reader:
    turns: list[Turn] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # call → tool
    effort: str | None = None

    def conversation(self, body: dict[str, Any]) -> Conversation:
        system = tuple(_texts(body.get("system"), "system"))
        choice = member(body, "tool_choice")
        settings = member(body, "output_config")
        reasoning = _reasoning(body, settings)
        rest = {name: value for name, value in body.items() if name not in _KNOWN}
        if "task_budget" in settings:
            rest["task_budget"] = settings["task_budget"]
        billing = [part for part in system if part.text.startswith(BILLING)]
        form = member(settings, "format") or member(body, "output_format")
        return Conversation(
            model=text(body, "model"),
            system=tuple(part for part in system if part not in billing),
            turns=tuple(self.turns),
            tools=tuple(_tool(tool, f"tools.{n}") for n, tool in enumerate(objects(body.get("tools"), "tools"))),
            choice=_choice(choice),
            parallel=None if (single := flag(choice, "disable_parallel_tool_use")) is None else not single,
            max_output=whole(body, "max_tokens"),
            stop=texts(body.get("stop_sequences")),
            sampling=Sampling(number(body, "temperature"), number(body, "top_p"), whole(body, "top_k")),
            reasoning=replace(reasoning, effort=self.effort or reasoning.effort),
            output=Output(member(form, "schema")) if form.get("type") == "json_schema" else None,
            user=optional(member(body, "metadata"), "user_id"),
            service_tier=optional(body, "service_tier"),
            stream=body.get("stream") is True,
            cache=_cache(body),
            billing=billing[0].text if billing else None,
            rest=rest,
        )

    def take(self, messages: list[dict[str, Any]], n: int) -> None:
        message, at = messages[n], f"messages.{n}"
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            raise wrong(f"{at}.role", "must be user, assistant or system")
        effort = optional(member(message, "output_config"), "effort")
        self.effort = effort or self.effort
        said = message.get("content")
        parts = (Text(said),) if isinstance(said, str) else tuple(self.parts(objects(said, f"{at}.content"), at))
        self.turns.append(Turn(cast(Role, role), parts, effort, (n, n + 1)))

    def parts(self, blocks: list[dict[str, Any]], at: str) -> Iterator[Part]:
        sealed: Seal | None = None
        for n, block in enumerate(blocks):
            part = self.part(block, f"{at}.content.{n}")
            if isinstance(part, _OfCall):
                sealed = part.seal
                continue
            if isinstance(part, Call) and sealed is not None:
                part, sealed = replace(part, seal=sealed), None
            yield part

    def part(self, block: dict[str, Any], at: str) -> Part | _OfCall:
        match block.get("type"):
            case "text":
                return Text(text(block, "text"), _cache(block))
            case "thinking":
                held = unwrap(text(block, "signature"))
                seal = held[0] if held else Seal("anthropic.signature", text(block, "signature"))
                return Thinking(text(block, "thinking"), seal)
            case "redacted_thinking":
                held = unwrap(text(block, "data"))
                if held and held[1]:
                    return _OfCall(held[0])
                return Thinking("", held[0] if held else Seal("anthropic.redacted", text(block, "data")))
            case "tool_use":
                self.names[text(block, "id")] = text(block, "name")
                return Call(text(block, "id"), text(block, "name"), dumps(block.get("input", {})), cache=_cache(block))
            case "tool_result":
                return self.result(block, at)
            case "image" | "document":
                return _media(block, at)
        if not text(block, "type"):
            raise wrong(f"{at}.type", "is missing")
        return _opaque(block)

    def result(self, block: dict[str, Any], at: str) -> Result:
        call_id, content = text(block, "tool_use_id"), block.get("content")
        parts: list[Text | Media | Reference | Opaque] = []
        if isinstance(content, str):
            parts.append(Text(content))
        else:
            for n, inner in enumerate(objects(content, f"{at}.content")):
                if inner.get("type") == "tool_reference":
                    parts.append(Reference(text(inner, "tool_name")))
                else:
                    part = self.part(inner, f"{at}.content.{n}")
                    parts.append(part if isinstance(part, Text | Media | Opaque) else _opaque(inner))
        error = block.get("is_error") is True
        return Result(call_id, tuple(parts), error, self.names.get(call_id, ""), cache=_cache(block))


@dataclass(frozen=True, slots=True)
class _OfCall:
    """A seal that belongs to the call after it."""

    seal: Seal


def _texts(value: object, at: str) -> Iterator[Text]:
    if isinstance(value, str):
        yield Text(value)
        return
    for block in objects(value, at):
        yield Text(text(block, "text"), _cache(block))


def _cache(block: dict[str, Any]) -> Cache | None:
    marks = block.get("cache_control")
    if not isinstance(marks, dict):
        return None
    return "1h" if marks.get("ttl") == "1h" else "5m"


def _media(block: dict[str, Any], at: str) -> Media | Opaque | Text:
    kind = "image" if block["type"] == "image" else "document"
    source, name, cache = member(block, "source"), optional(block, "title"), _cache(block)
    mime = text(source, "media_type") or ("image/*" if kind == "image" else "application/pdf")
    match source.get("type"):
        case "base64":
            return Media(kind, mime, data=text(source, "data"), name=name, cache=cache)  # type: ignore[arg-type]
        case "url":
            return Media(kind, mime, url=text(source, "url"), name=name, cache=cache)  # type: ignore[arg-type]
        case "file":
            return Media(kind, mime, file=text(source, "file_id"), name=name, cache=cache)  # type: ignore[arg-type]
        case "text":
            # A document that is plain text: the same words, under its title.
            return Text((f"{name}\n\n" if name else "") + text(source, "data"), cache)
    if source.get("type") == "content":
        return _opaque(block, "\n".join(part.text for part in _texts(source.get("content"), f"{at}.source.content")))
    raise wrong(f"{at}.source.type", "must be base64, url, file, text or content")


def _opaque(block: dict[str, Any], words: str = "") -> Opaque:
    kind = text(block, "type")
    if kind == "server_tool_use":
        words = f"[{text(block, 'name')}: {dumps(block.get('input', {}))}]"
    elif kind.endswith("_tool_result") or kind == "search_result":
        words = _words(block)
    elif kind == "compaction":
        words = text(block, "content")
    return Opaque(Format.ANTHROPIC, kind or "block", block, words)


def _words(value: object) -> str:
    """The titles, addresses and texts within a server tool's result."""
    if isinstance(value, list):
        return "\n".join(filter(None, map(_words, value)))
    if not isinstance(value, dict):
        return ""
    said = [str(value[key]) for key in ("title", "url", "source", "text", "stdout", "stderr", "error_code")
            if isinstance(value.get(key), str) and value[key]]  # fmt: skip
    inner = _words(value.get("content"))
    return "\n".join([*said, inner] if inner else said)


def _tool(tool: dict[str, Any], at: str) -> Tool | Opaque:
    if tool.get("type") not in (None, "custom"):
        return Opaque(Format.ANTHROPIC, f"tool {text(tool, 'type')}", tool)
    if not text(tool, "name"):
        raise wrong(f"{at}.name", "is missing")
    return Tool(
        name=text(tool, "name"),
        description=text(tool, "description"),
        schema=member(tool, "input_schema"),
        strict=flag(tool, "strict"),
        deferred=tool.get("defer_loading") is True,
        cache=_cache(tool),
    )


def _choice(choice: dict[str, Any]) -> Choice | None:
    match choice.get("type"):
        case "auto":
            return Choice("auto")
        case "any":
            return Choice("any")
        case "none":
            return Choice("none")
        case "tool":
            return Choice("any", (text(choice, "name"),))
    return None


def _reasoning(body: dict[str, Any], settings: dict[str, Any]) -> Reasoning:
    thinking, effort = member(body, "thinking"), optional(settings, "effort")
    shown = {"omitted": False, "summarized": True}.get(text(thinking, "display"))
    match thinking.get("type"):
        case "enabled":
            return Reasoning("budget", whole(thinking, "budget_tokens"), effort, shown)
        case "adaptive":
            return Reasoning("adaptive", None, effort, shown)
        case "between_tools":
            return Reasoning("between_tools", None, effort, shown)
        case "disabled":
            return Reasoning("off", None, effort, shown)
    return Reasoning(effort=effort, shown=shown)
