"""A generateContent request, written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lynkr.changes import Changes
from lynkr.conversation import (
    Call,
    Conversation,
    Media,
    Opaque,
    Output,
    Part,
    Reasoning,
    Result,
    Seal,
    Text,
    Thinking,
    Tool,
    Turn,
)
from lynkr.formats.gemini.envelope import NO_SIGNATURE
from lynkr.formats.unsaid import Unsaid
from lynkr.target import Target

_FORMAT = "Gemini's API"
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
_SAMPLING = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}


def write_request(conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]:
    """The body that says `conversation`; what it cannot say is noted in `changes`."""
    return _Writer(target, changes).body(conversation)


class _Writer:
    def __init__(self, target: Target, changes: Changes) -> None:
        self.target, self.changes = target, changes
        self.unsaid = Unsaid(changes, _FORMAT)
        self.names: dict[str, str] = {}

    def body(self, c: Conversation) -> dict[str, Any]:
        body: dict[str, Any] = {}
        tools = [said for tool in c.tools if (said := self.tool(tool)) is not None]
        if tools:
            body["tools"] = [{"functionDeclarations": tools}]
            body |= self.choice(c)
        if c.system:
            self.unsaid.breakpoints(c.system)
            body["systemInstruction"] = {"parts": [{"text": part.text} for part in c.system if part.text]}
        if settings := self.settings(c):
            body["generationConfig"] = settings
        body["contents"] = list(self.contents(c.turns))
        return body

    def settings(self, c: Conversation) -> dict[str, Any]:
        found: dict[str, Any] = {} if c.max_output is None else {"maxOutputTokens": c.max_output}
        for name, said in _SAMPLING.items():
            if (value := getattr(c.sampling, name)) is not None:
                found[said] = value
        if c.stop:
            found["stopSequences"] = list(c.stop)
        self.unsaid.naming(c)
        return found | _output(c.output) | self.thinking(c.reasoning)

    def thinking(self, asked: Reasoning) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if asked.effort in _LEVELS:
            said["thinkingLevel"] = _LEVELS[asked.effort]
        elif asked.mode == "budget" and asked.budget:
            said["thinkingBudget"] = asked.budget
        elif asked.mode == "off":
            said["thinkingBudget"] = 0
        elif asked.mode == "adaptive" and "budget" in self.target.can.thinking:
            said["thinkingBudget"] = -1
        if self.target.can.thinking and asked.mode != "off" and (asked.shown or (asked.shown is None and asked.mode)):
            said["includeThoughts"] = True
        return {"thinkingConfig": said} if said else {}

    def tool(self, tool: Tool | Opaque) -> dict[str, Any] | None:
        if isinstance(tool, Opaque):
            self.unsaid.tool(tool)
            return None
        self.unsaid.breakpoints((tool,))
        if tool.strict:
            self.unsaid.setting("strict tools")
        said: dict[str, Any] = {"name": tool.name}
        if tool.description:
            said["description"] = tool.description
        return said | ({"parametersJsonSchema": tool.schema} if tool.schema else {})

    def choice(self, c: Conversation) -> dict[str, Any]:
        if c.parallel is False:
            self.unsaid.setting("parallel tool calls off")
        if c.choice is None:
            return {}
        said: dict[str, Any] = {"mode": {"auto": "AUTO", "any": "ANY", "none": "NONE"}[c.choice.mode]}
        if c.choice.only and c.choice.mode == "any":
            said["allowedFunctionNames"] = list(c.choice.only)
        elif c.choice.only:
            said = {"mode": "VALIDATED", "allowedFunctionNames": list(c.choice.only)}
        return {"toolConfig": {"functionCallingConfig": said}}

    def contents(self, turns: Iterable[Turn]) -> Iterator[dict[str, Any]]:
        held: dict[str, Any] | None = None
        for turn in turns:
            role = "model" if turn.role == "assistant" else "user"
            behind: list[dict[str, Any]] = []
            parts = [said for part in turn.parts for said in self.part(part, behind)]
            # Responses to calls of one round stand together; their pictures come behind the last.
            last = max((n for n, said in enumerate(parts) if "functionResponse" in said), default=-1) + 1
            parts[last:last] = behind
            if role == "model" and self.target.can.calls_need_seal:
                _seal_first(parts)
            if not parts:
                continue
            if held is not None and held["role"] == role:
                held["parts"] += parts
                continue
            if held is not None:
                yield held
            held = {"role": role, "parts": parts}
        if held is not None:
            yield held

    def part(self, part: Part, behind: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        match part:
            case Text():
                self.unsaid.breakpoints((part,))
                if part.text:
                    yield {"text": part.text}
            case Thinking():
                yield from self.thought(part)
            case Call():
                self.unsaid.breakpoints((part,))
                self.names[part.id] = part.name
                yield self.call(part)
            case Result():
                self.unsaid.breakpoints((part,))
                yield self.result(part, behind)
            case Media():
                self.unsaid.breakpoints((part,))
                yield from self.media(part)
            case Opaque():
                if words := self.unsaid.words(part):
                    yield {"text": words}

    def thought(self, part: Thinking) -> Iterator[dict[str, Any]]:
        match part.seal:
            case Seal("gemini.signature", data) as seal if seal.at(self.target.home):
                yield {"text": part.text, **({"thought": True} if part.text else {}), "thoughtSignature": data}
            case _:
                self.unsaid.thoughts(part)

    def call(self, part: Call) -> dict[str, Any]:
        said: dict[str, Any] = {"functionCall": {"id": part.id, "name": part.name, "args": self.unsaid.arguments(part)}}
        if part.seal is not None and part.seal.kind == "gemini.signature" and part.seal.at(self.target.home):
            said["thoughtSignature"] = part.seal.data
        else:
            self.unsaid.thoughts(part)
        return said

    def result(self, part: Result, behind: list[dict[str, Any]]) -> dict[str, Any]:
        words = list[str]()
        for inner in part.parts:
            match inner:
                case Text():
                    words.append(inner.text)
                case Media():
                    if said := list(self.media(inner)):
                        self.changes.change(f"{inner.kind} in a tool result", "behind it")
                        behind += [{"text": f"[{inner.kind} of tool call {part.call_id}]"}, *said]
                case Opaque():
                    words += [said["text"] for said in self.part(inner, behind)]
        name = part.name or self.names.get(part.call_id, "unknown")
        response = {"error" if part.error else "output": "\n".join(words)}
        return {"functionResponse": {"id": part.call_id, "name": name, "response": response}}

    def media(self, part: Media) -> Iterator[dict[str, Any]]:
        if part.data is not None:
            yield {"inlineData": {"mimeType": part.mime, "data": part.data}}
        elif part.url is not None or (part.file is not None and self.target.own):
            yield {"fileData": {"fileUri": part.url or part.file, "mimeType": part.mime}}
        else:
            self.changes.drop(f"{part.kind} by file id", "a file belongs to the provider that holds it")


def _seal_first(parts: list[dict[str, Any]]) -> None:
    """The first call of a turn must be signed; for one made elsewhere Google documents a word to say so."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", NO_SIGNATURE)


def _output(output: Output | None) -> dict[str, Any]:
    if output is None:
        return {}
    schema = {} if output.schema is None else {"responseJsonSchema": output.schema}
    return {"responseMimeType": "application/json", **schema}
