"""A Chat Completions answer, read: streamed, or whole.

The format has no beginnings and ends of parts: a text ends where a call begins. Calls carry an index, and a server may
send pieces of several by turns; then one is told at a time and the others are held back until it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.answer import Answer, AnswerPart, Refused
from lynkr.changes import Changes
from lynkr.conversation import Call, Seal, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, MalformedStream, Open, Refusal, Start, Stop, Unfinished
from lynkr.formats.openai import read_refusal
from lynkr.formats.openai_chat.figures import usage_in
from lynkr.formats.values import dicts, dumps, optional, parsed_object, text
from lynkr.formats.watch import member, parsed
from lynkr.framing.frame import Frame
from lynkr.target import Label
from lynkr.usage import Usage

_STOPS = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "model_length": Stop.CONTEXT,  # Mistral
    "tool_calls": Stop.CALLS,
    "function_call": Stop.CALLS,
    "content_filter": Stop.REFUSED,
    "sensitive": Stop.REFUSED,  # Z.ai
}
# OpenRouter; Z.ai; DeepSeek.
_FAILURES = ("error", "network_error", "insufficient_system_resource")


class AnswerReader:
    """Reads one streamed answer, frame by frame. Calls without an id get one after the label's."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._seed, self._changes = label.id, changes
        self._started = self._over = False
        self._usage: Usage | None = None
        self._finish: str | None = None
        self._open: AnswerPart | None = None
        self._details: list[Any] = []
        self._calls: list[_Calling] = []
        self._at: dict[object, _Calling] = {}
        self._current: _Calling | None = None
        self._held: list[tuple[type[Text | Thinking], str]] = []

    def frame(self, frame: Frame) -> list[Event]:
        """The events that a frame tells. Raises MalformedStream."""
        if self._over:
            return []
        if frame.data.strip() == b"[DONE]":
            return self._ending(sure=True)
        chunk = parsed(frame.data)
        if not chunk:
            raise MalformedStream("a chunk is not a JSON object")
        if chunk.get("error"):
            self._over = True
            return [Failed(read_refusal(chunk))]
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Start(text(chunk, "id"), text(chunk, "model")))
        self._usage = usage_in(chunk) or self._usage
        for choice in dicts(chunk.get("choices")):
            if choice.get("index") in (0, None):
                events += self._choice(choice)
        return events

    def end(self) -> list[Event]:
        """What the end of the stream tells. Raises MalformedStream where the answer is not whole."""
        return [] if self._over else self._ending(sure=False)

    def _choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        delta = member(choice, "delta")
        if delta.get("annotations"):
            self._changes.drop("citations", "they have another form in each format")
        for kind, said in _said(delta):
            yield from self._words(kind, said)
        details = delta.get("reasoning_details")
        if isinstance(details, list):
            self._details += details
        for call in _calls(delta):
            yield from self._call(call)
        self._finish = optional(choice, "finish_reason") or self._finish
        if self._finish in _FAILURES:
            yield Failed(_failure(self._finish))

    def _words(self, kind: type[Text | Thinking], said: str) -> Iterator[Event]:
        if self._current is not None:
            if not self._current.looks_whole:
                self._held.append((kind, said))
                return
            yield from self._finish_calls()
        if not isinstance(self._open, kind):
            yield from self._close()
            if kind is Text:
                yield from self._wordless()
            self._open = kind("")
            yield Open(self._open)
        yield Delta(said)

    def _call(self, call: dict[str, Any]) -> Iterator[Event]:
        said = member(call, "function") or member(call, "custom")
        index = call.get("index", 0)
        known = self._calling(index if isinstance(index, int) else 0, text(call, "id"), text(said, "name"))
        known.seal = known.seal or signature(call)
        known.take(text(said, "arguments") or text(said, "input"))
        if self._current is known:
            yield from known.news()
        elif self._current is None or self._current.looks_whole:
            yield from self._next_call()

    def _calling(self, index: object, given: str, name: str) -> _Calling:
        known = self._at.get(index)
        # Some servers number all calls 0; another id is another call.
        if known is None or (given and given != known.id and name):
            known = self._at[index] = _Calling(given or f"call_{self._seed}_{len(self._calls)}", name)
            self._calls.append(known)
        known.name = known.name or name
        return known

    def _next_call(self) -> Iterator[Event]:
        """Ends the call that is told, which is whole, and tells the next, as far as it has come."""
        if self._current is not None:
            yield from self._end_call()
        for call in self._calls:
            if not call.told:
                yield from self._close()
                yield from self._wordless()
                self._current = call
                yield Open(Call(call.id, call.name, seal=call.seal))
                yield from call.news()
                return

    def _end_call(self) -> Iterator[Event]:
        call, self._current = self._current, None
        assert call is not None
        yield from call.news()
        if call.empty:
            yield Delta("{}")
        call.end()
        yield Close()

    def _finish_calls(self) -> Iterator[Event]:
        """Tells all that was held back."""
        while self._current is not None:
            yield from self._next_call()
        held, self._held = self._held, []
        for kind, said in held:
            yield from self._words(kind, said)

    def _close(self) -> Iterator[Event]:
        part, self._open = self._open, None
        if isinstance(part, Thinking):
            yield Close(self._seal())
        elif part is not None:
            yield Close()

    def _seal(self) -> Seal:
        details, self._details = self._details, []
        return Seal("chat.details", dumps(merged(details))) if details else Seal("chat.reasoning", "")

    def _wordless(self) -> Iterator[Event]:
        """Sealed thoughts that came without a word, told before what they led to."""
        if self._details:
            yield Open(Thinking(""))
            yield Close(self._seal())

    def _ending(self, *, sure: bool) -> list[Event]:
        if not self._started or (self._finish is None and not sure):
            raise Unfinished("the stream ended before the answer did")
        self._over = True
        events = [*self._close(), *self._finish_calls(), *self._close(), *self._wordless()]
        stop = _STOPS.get(self._finish or "stop", Stop.END)
        if self._calls and stop is Stop.END:
            stop = Stop.CALLS
        return [*events, End(stop, self._usage)]


class _Calling:
    """A call whose arguments are coming in."""

    def __init__(self, given: str, name: str) -> None:
        self.id, self.name = given, name
        self.told = False
        self.seal: Seal | None = None
        self._pieces: list[str] = []
        self._given = 0

    def take(self, piece: str) -> None:
        if self.told and piece.strip():
            raise MalformedStream("a call goes on after its end")
        if piece:
            self._pieces.append(piece)

    def news(self) -> Iterator[Event]:
        """What has come and was not told yet."""
        fresh, self._given = self._pieces[self._given :], len(self._pieces)
        for piece in fresh:
            yield Delta(piece)

    def end(self) -> None:
        self.told, self._pieces, self._given = True, [], 0

    @property
    def empty(self) -> bool:
        return not any(self._pieces)

    @property
    def looks_whole(self) -> bool:
        # Looked at for each piece of another call, so not read before its end is there.
        last = next((piece for piece in reversed(self._pieces) if piece.strip()), "")
        return last.rstrip().endswith("}") and parsed_object("".join(self._pieces)) is not None


def _said(delta: dict[str, Any]) -> Iterator[tuple[type[Text | Thinking], str]]:
    """The words of a message or of a piece of one, thoughts first."""
    if thoughts := optional(delta, "reasoning_content") or optional(delta, "reasoning"):
        yield Thinking, thoughts
    content = delta.get("content")
    if isinstance(content, str):
        if content:
            yield Text, content
    elif isinstance(content, list):
        for part in dicts(content):
            match part.get("type"):
                case "thinking" | "reasoning":  # Mistral; Databricks
                    inner = part.get("thinking") or part.get("summary")
                    for piece in inner if isinstance(inner, list) else [{"text": inner}]:
                        if isinstance(piece, dict) and text(piece, "text"):
                            yield Thinking, text(piece, "text")
                case "text" if text(part, "text"):
                    yield Text, text(part, "text")
    if refusal := optional(delta, "refusal"):
        yield Text, refusal


def _calls(delta: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from dicts(delta.get("tool_calls"))
    if legacy := member(delta, "function_call"):
        yield {"index": 0, "function": legacy}


def signature(call: dict[str, Any]) -> Seal | None:
    """The signature that Google's endpoint of this format puts on a call, to be sent back with it."""
    found = text(member(member(call, "extra_content"), "google"), "thought_signature")
    return Seal("chat.signature", found) if found else None


def merged(details: list[Any]) -> list[dict[str, Any]]:
    """OpenRouter's `reasoning_details` as wholes: streamed, one comes in many pieces, its signature in the last.

    Sent back in pieces they are refused (agno-agi/agno#8794).
    """
    found: dict[tuple[object, object], dict[str, Any]] = {}
    for n, piece in enumerate(dicts(details)):
        key = (piece.get("type"), piece.get("index", f"#{n}"))
        whole = found.setdefault(key, {})
        for name, value in piece.items():
            joined = name in ("text", "summary") and isinstance(value, str) and isinstance(whole.get(name), str)
            if joined:
                whole[name] += value
            elif value is not None or name not in whole:
                whole[name] = value
    return list(found.values())


def _failure(finish: str) -> Refusal:
    return Refusal("server", f"the provider ended the answer with {finish!r}")


def read_answer(body: dict[str, Any], label: Label, changes: Changes) -> Answer:
    """A whole answer. Raises MalformedStream where it is none."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise MalformedStream("the answer has no choices")
    message = member(choices[0], "message")
    if message.get("annotations"):
        changes.drop("citations", "they have another form in each format")
    parts: list[AnswerPart] = []
    for kind, said in _said(message):
        if kind is Thinking:
            parts.append(Thinking(said, Seal("chat.reasoning", "")))
        else:
            parts.append(Text(said))
    if details := dicts(message.get("reasoning_details")):
        words = "".join(part.text for part in parts if isinstance(part, Thinking))
        parts = [part for part in parts if not isinstance(part, Thinking)]
        parts.insert(0, Thinking(words, Seal("chat.details", dumps(merged(details)))))
    for n, call in enumerate(_calls(message)):
        said_of = member(call, "function") or member(call, "custom")
        arguments = text(said_of, "arguments") or text(said_of, "input") or "{}"
        call_id = text(call, "id") or f"call_{label.id}_{n}"
        parts.append(Call(call_id, text(said_of, "name"), arguments, seal=signature(call)))
    if text(choices[0], "finish_reason") in _FAILURES:
        raise Refused(_failure(text(choices[0], "finish_reason")))
    stop = _STOPS.get(text(choices[0], "finish_reason"), Stop.END)
    if stop is Stop.END and any(isinstance(part, Call) for part in parts):
        stop = Stop.CALLS
    return Answer(text(body, "id"), text(body, "model"), tuple(parts), End(stop, usage_in(body)))
