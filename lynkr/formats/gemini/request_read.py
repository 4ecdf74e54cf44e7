"""A generateContent request, read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
from lynkr.formats.gemini.envelope import opened
from lynkr.formats.gemini.schema import as_json_schema
from lynkr.formats.values import dumps, flag, number, objects, optional, text, texts, whole, wrong
from lynkr.formats.watch import member
from lynkr.lane import Format

_KNOWN = frozenset(
    ["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "labels", "model"]
)
_SETTINGS = frozenset(
    [
        "maxOutputTokens",
        "temperature",
        "topP",
        "topK",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "stopSequences",
        "thinkingConfig",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "candidateCount",
    ]
)
_EFFORTS = {"MINIMAL": "minimal", "LOW": "low", "MEDIUM": "medium", "HIGH": "high"}


def read_request(body: dict[str, Any], trail: Trail | None = None) -> Conversation:
    """The conversation in a request's body; the model and whether it is streamed stand in the path, not here.

    Raises ClientError where it makes no sense.
    """
    body = _camelled(body)
    if body.get("cachedContent"):
        raise wrong("cachedContent", "refers to what Google holds; this lane has another format")
    return (trail or Trail()).read(objects(body.get("contents"), "contents"), _Reader()).conversation(body)


def _camel(name: str) -> str:
    """Google takes both spellings of a field."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail) if tail else name


def _camelled(value: dict[str, Any]) -> dict[str, Any]:
    return {_camel(name): inner for name, inner in value.items()}


@dataclass(slots=True)
class _Reader:
    turns: list[Turn] = field(default_factory=list)
    waiting: list[Call] = field(default_factory=list)  # calls that have no result yet
    count: int = 0

    def conversation(self, body: dict[str, Any]) -> Conversation:
        settings = _camelled(member(body, "generationConfig"))
        given = body.get("tools")
        tools = list(self.tools(objects([given] if isinstance(given, dict) else given, "tools")))
        rest = {name: value for name, value in body.items() if name not in _KNOWN and value is not None}
        rest |= {name: value for name, value in settings.items() if name not in _SETTINGS and value is not None}
        if whole(settings, "candidateCount") not in (None, 1):
            rest["candidateCount"] = settings["candidateCount"]
        system = body.get("systemInstruction")
        return Conversation(
            model=text(body, "model").removeprefix("models/"),
            system=tuple(_system(system)),
            turns=tuple(self.turns),
            tools=tuple(tools),
            choice=_choice(_camelled(member(_camelled(member(body, "toolConfig")), "functionCallingConfig"))),
            max_output=whole(settings, "maxOutputTokens"),
            stop=texts(settings.get("stopSequences")),
            sampling=Sampling(
                number(settings, "temperature"),
                number(settings, "topP"),
                whole(settings, "topK"),
                whole(settings, "seed"),
                number(settings, "presencePenalty"),
                number(settings, "frequencyPenalty"),
            ),
            reasoning=_reasoning(_camelled(member(settings, "thinkingConfig"))),
            output=_output(settings),
            rest=rest,
        )

    def take(self, contents: list[dict[str, Any]], n: int) -> None:
        role = contents[n].get("role", "user")
        if role not in ("user", "model", "function", "system"):
            raise wrong(f"contents.{n}.role", "must be user or model")
        parts = objects(contents[n].get("parts"), f"contents.{n}.parts")
        said = tuple(part for value in parts for part in self.part(value))
        speaker: Role = "assistant" if role == "model" else "system" if role == "system" else "user"
        self.turns.append(Turn(speaker, said, span=(n, n + 1)))

    def part(self, said: dict[str, Any]) -> Iterator[Part]:
        value = _camelled(said)
        thought, seal = opened(text(value, "thoughtSignature"))
        if thought is not None:
            yield thought
        if call := member(value, "functionCall"):
            yield self.call(call, seal)
        elif response := member(value, "functionResponse"):
            yield self.result(response)
        elif value.get("thought") is True:
            yield Thinking(text(value, "text"), seal)
        elif "text" in value:
            if text(value, "text"):
                yield Text(text(value, "text"))
            if seal is not None:
                yield Thinking("", seal)
        elif media := _media(value):
            yield media
        else:
            kind = next((name for name in value if not name.startswith("thought")), "part")
            yield Opaque(Format.GEMINI, kind, said, _words(value))

    def call(self, value: dict[str, Any], seal: Seal | None) -> Call:
        self.count += 1
        # Without an id, a call and its response find each other by name and order.
        call = Call(
            text(value, "id") or f"unnamed_call_{self.count}",
            text(value, "name"),
            dumps(value.get("args") or {}),
            seal=seal,
        )
        self.waiting.append(call)
        return call

    def result(self, value: dict[str, Any]) -> Result:
        given, name = text(value, "id"), text(value, "name")
        fits = [call for call in self.waiting if (call.id == given if given else call.name == name)]
        call_id = fits[0].id if fits else given or f"call_{name}"
        if fits:
            self.waiting.remove(fits[0])
        response = member(value, "response")
        parts: list[Text | Media | Opaque] = []
        error = set(response) == {"error"}
        plain = next((response[key] for key in ("output", "result", "error") if set(response) == {key}), None)
        parts.append(Text(plain if isinstance(plain, str) else dumps(response)))
        parts += [media for part in objects(value.get("parts"), "parts") if (media := _media(part))]
        return Result(call_id, tuple(parts), error, name)

    def tools(self, given: list[dict[str, Any]]) -> Iterator[Tool | Opaque]:
        for tool in given:
            for name, value in tool.items():
                if _camel(name) != "functionDeclarations":
                    yield Opaque(Format.GEMINI, f"tool {_camel(name)}", {name: value})
                    continue
                for declared in map(_camelled, objects(value, "tools.functionDeclarations")):
                    schema = declared.get("parametersJsonSchema")
                    if schema is None and declared.get("parameters"):
                        schema = as_json_schema(declared["parameters"])
                    schema = schema if isinstance(schema, dict) and schema else None
                    yield Tool(text(declared, "name"), text(declared, "description"), schema)


def _system(value: object) -> Iterator[Text]:
    if isinstance(value, str):
        yield Text(value)
    elif isinstance(value, dict):
        for part in objects(value.get("parts"), "systemInstruction.parts"):
            if text(part, "text"):
                yield Text(text(part, "text"))


def _media(value: dict[str, Any]) -> Media | None:
    value = _camelled(value)
    inline = _camelled(member(value, "inlineData"))
    source = inline or _camelled(member(value, "fileData"))
    if not source:
        return None
    mime = text(source, "mimeType")
    family = mime.partition("/")[0]
    kind = family if family in ("image", "audio", "video") else "document"
    name = optional(source, "displayName")
    if inline:
        return Media(kind, mime, data=text(source, "data"), name=name)  # type: ignore[arg-type]
    uri = text(source, "fileUri")
    if uri.startswith("https://generativelanguage.googleapis.com/"):
        return Media(kind, mime, file=uri, name=name)  # type: ignore[arg-type]
    return Media(kind, mime, url=uri, name=name)  # type: ignore[arg-type]


def _words(value: dict[str, Any]) -> str:
    if code := member(value, "executableCode"):
        return text(code, "code")
    return text(member(value, "codeExecutionResult"), "output")


def _choice(config: dict[str, Any]) -> Choice | None:
    only = texts(config.get("allowedFunctionNames"))
    match text(config, "mode"):
        case "AUTO" | "VALIDATED":
            return Choice("auto", only)
        case "ANY":
            return Choice("any", only)
        case "NONE":
            return Choice("none")
    return None


def _reasoning(config: dict[str, Any]) -> Reasoning:
    budget, effort, shown = whole(config, "thinkingBudget"), _EFFORTS.get(text(config, "thinkingLevel").upper()), flag(
        config, "includeThoughts")  # fmt: skip
    if budget is None:
        return Reasoning(effort=effort, shown=shown)
    mode = "adaptive" if budget < 0 else "off" if budget == 0 else "budget"
    return Reasoning(mode, budget if budget > 0 else None, effort, shown)  # type: ignore[arg-type]


def _output(settings: dict[str, Any]) -> Output | None:
    if text(settings, "responseMimeType") != "application/json":
        return None
    schema = settings.get("responseJsonSchema") or as_json_schema(settings.get("responseSchema"))
    return Output(schema if isinstance(schema, dict) else None)
