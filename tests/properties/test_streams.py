"""A streamed answer says the same in every client's format, however it is cut; a damaged one is refused and no more.

What a format cannot say is taken out of what is expected by rules, each with its reason; nothing else may be missing.
"""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from properties.said import CUTS, POISON, answers, converse_events, cut, events_of, ollama_lines, poisoned, through_json

from lynkr.answer import Answer, AnswerPart, Refused, gather
from lynkr.changes import Changes
from lynkr.conversation import Call, Home, Seal, Text, Thinking, unwrap
from lynkr.events import Close, Delta, End, Event, Failed, MalformedStream, Open, Ping, Refusal, Start, Stop
from lynkr.formats import CODECS, SPEECHES
from lynkr.formats.gemini.envelope import opened as opened_signature
from lynkr.framing import eventstream, sse
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.translate.answer import Interpreter, whole
from lynkr.translate.tools import Names
from lynkr.usage import Usage

some = settings(max_examples=150, deadline=None)
# The same damage in every run: a stream that is refused today is refused tomorrow.
damage = settings(max_examples=400, deadline=None, derandomize=True)

ANTHROPIC, CHAT, RESPONSES, GEMINI = CODECS
OLLAMA, CONVERSE, INVOKE = Format.OLLAMA, Format.BEDROCK_CONVERSE, Format.BEDROCK_INVOKE
EVERY_CLIENT = pytest.mark.parametrize("spoken", list(CODECS))
EVERY_LANE = pytest.mark.parametrize("spoken", list(SPEECHES))
HOME = Home("a lane", "its model")
LABEL = Label(HOME, "asked for", "id_of_ours", at=5)


def written(spoken: Format, events: Iterable[Event]) -> bytes:
    writer = CODECS[spoken].AnswerWriter(LABEL, Changes())
    return b"".join(map(writer.event, events))


def read(spoken: Format, pieces: Iterable[bytes]) -> list[Event]:
    """The events that a stream tells, but for signs of life."""
    speech = SPEECHES[spoken]
    framing, reader = speech.Framing(), speech.AnswerReader(LABEL, Changes())
    frames = [frame for piece in pieces for frame in framing.feed(piece)]
    events = [event for frame in [*frames, *framing.rest()] for event in reader.frame(frame)]
    return [event for event in [*events, *reader.end()] if not isinstance(event, Ping)]


def overlapping(events: Iterable[Event]) -> bool:
    """Whether a part begins in another, goes on outside of one, or is left open at the end."""
    is_open = False
    for event in events:
        match event:
            case Open() if is_open:
                return True
            case Delta() | Close() if not is_open:
                return True
            case End():
                return is_open
            case Failed():
                return False
        is_open = isinstance(event, Open) or (is_open and not isinstance(event, Close))
    return False


def in_order(events: list[Event]) -> bool:
    ends = [event for event in events if isinstance(event, Start | End)]
    return ends == [events[0], events[-1]] and isinstance(events[-1], End) and not overlapping(events)


# --- what a format cannot say ---

Parts = list[AnswerPart]


def nothing_for_nothing(parts: Parts) -> Parts:
    """A part without words and seal: no format has a block for it that would not be refused when it comes back."""
    return [part for part in parts if isinstance(part, Call) or part.text or (isinstance(part, Thinking) and part.seal)]


def neighbours_are_one(parts: Parts) -> Parts:
    """Chat and Gemini have deltas of a kind, but no beginnings and ends."""
    joined = Parts()
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(last, Text) and isinstance(part, Text):
            joined[-1] = Text(last.text + part.text)
        elif isinstance(last, Thinking) and isinstance(part, Thinking):
            joined[-1] = replace(last, text=last.text + part.text)
        else:
            joined.append(part)
    return joined


def no_seals(parts: Parts) -> Parts:
    """Chat has no place for a seal; thoughts are known for a chat server's by theirs."""
    bare = [replace(part, seal=None) if isinstance(part, Call | Thinking) else part for part in parts]
    kept = nothing_for_nothing(bare)
    return [Thinking(part.text, Seal("chat.reasoning", "")) if isinstance(part, Thinking) else part for part in kept]


def foreign_seals_say_where_they_are_from(own: str) -> Callable[[Parts], Parts]:
    """In lynkr's envelope; thoughts without a seal are in one as well, so that they are not taken for the maker's."""

    def sealed(parts: Parts) -> Parts:
        found = Parts()
        for part in parts:
            if isinstance(part, Call) and part.seal:
                found.append(replace(part, seal=replace(part.seal, home=HOME)))
            elif isinstance(part, Thinking) and not (part.seal and part.seal.kind.startswith(own)):
                found.append(replace(part, seal=replace(part.seal or Seal("plain", ""), home=HOME)))
            else:
                found.append(part)
        return found

    return sealed


def seals_stand_on_calls(parts: Parts) -> Parts:
    """Gemini's clients send back the signature of a call and no thoughts: it holds the thoughts before it."""
    found, thought = Parts(), None
    for part in parts:
        if isinstance(part, Call):
            held = replace(thought.seal or Seal("plain", ""), home=HOME) if thought else None
            found.append(replace(part, seal=part.seal or held))
            thought = None
        elif isinstance(part, Thinking):
            thought = part
            found.append(Thinking(part.text))
        else:
            found.append(part)
    return nothing_for_nothing(found)


RULES: dict[Format, tuple[Callable[[Parts], Parts], ...]] = {
    ANTHROPIC: (nothing_for_nothing, foreign_seals_say_where_they_are_from("anthropic.")),
    CHAT: (no_seals, neighbours_are_one),
    RESPONSES: (nothing_for_nothing, foreign_seals_say_where_they_are_from("openai.")),
    GEMINI: (seals_stand_on_calls, neighbours_are_one),
}
# A met sequence, a full context and a pause are words of Anthropic's alone.
_ALIKE = {Stop.SEQUENCE: Stop.END, Stop.CONTEXT: Stop.LENGTH, Stop.PAUSE: Stop.END}
# That there are calls is all that says so, outside of Anthropic's and chat's words for it.
_CALLS_SHOW = {RESPONSES, GEMINI}


def stop_of(spoken: Format, stop: Stop, called: bool) -> Stop:
    if spoken is ANTHROPIC:
        return stop
    alike = _ALIKE.get(stop, stop)
    if alike is Stop.CALLS and not called and spoken in _CALLS_SHOW:
        return Stop.END
    return Stop.CALLS if called and alike is Stop.END else alike


def usage_of(spoken: Format, usage: Usage | None) -> Usage:
    """Where there are no figures, zeros; cache writes by how long they last at Anthropic's only, at Gemini's not at all."""
    said = usage or Usage()
    if spoken is ANTHROPIC:
        return said
    write = said.cache_write + said.cache_write_1h
    if spoken is GEMINI:
        return replace(said, input=said.input + write, cache_write=0, cache_write_1h=0)
    return replace(said, cache_write=write, cache_write_1h=0)


def expected(spoken: Format, answer: Answer) -> Answer:
    parts = list(answer.parts)
    for rule in RULES[spoken]:
        parts = rule(parts)
    end = End(
        stop_of(spoken, answer.end.stop, any(isinstance(part, Call) for part in parts)),
        usage_of(spoken, answer.end.usage),
        answer.end.sequence if spoken is ANTHROPIC else None,
    )
    return compared(Answer(answer.id or LABEL.id, answer.model or LABEL.model, tuple(parts), end))


def compared(answer: Answer) -> Answer:
    """With arguments as values in one spelling, and texts as any JSON has them."""
    parts = Parts()
    for part in answer.parts:
        if isinstance(part, Call):
            part = replace(part, arguments=json.dumps(json.loads(part.arguments)))
        elif isinstance(part, Text | Thinking):
            part = replace(part, text=through_json(part.text))
        if isinstance(part, Thinking) and part.seal and part.seal.kind == "openai.reasoning":
            part = replace(part, seal=replace(part.seal, data=json.dumps(json.loads(part.seal.data))))
        parts.append(part)
    return replace(answer, parts=tuple(parts))


def opened(spoken: Format, answer: Answer) -> Answer:
    """An answer with the envelopes opened, as they are when a client sends them back."""
    parts, of_call = Parts(), None
    for part in answer.parts:
        if isinstance(part, Thinking) and part.seal is not None:
            data = part.seal.data
            if part.seal.kind == "openai.reasoning":
                data = json.loads(data)["encrypted_content"]
            seal, belongs_to_call = unwrap(data) or (part.seal, False)
            if belongs_to_call:
                of_call = seal
                continue
            part = replace(part, seal=seal)
        elif isinstance(part, Call):
            if part.seal is not None and (thought := opened_signature(part.seal.data)[0]):
                part = replace(part, seal=thought.seal)
            part, of_call = replace(part, seal=of_call or part.seal), None
        parts.append(part)
    assert of_call is None
    return compared(replace(answer, parts=tuple(parts)))


REDACTED = Answer(parts=(Thinking("", Seal("anthropic.redacted", "AAAA")),), end=End(Stop.END, Usage()))


@EVERY_CLIENT
@some
@given(answers(), CUTS, st.booleans())
@example(REDACTED, [], False)
def test_what_is_written_is_read_back(spoken: Format, answer: Answer, cuts: list[int], pings: bool) -> None:
    events = read(spoken, [written(spoken, events_of(answer, cuts, pings))])
    assert in_order(events)
    assert opened(spoken, gather(events)) == expected(spoken, answer)


@EVERY_CLIENT
@some
@given(answers(), CUTS, CUTS)
def test_any_chunking_of_the_bytes_gives_the_same_events(
    spoken: Format, answer: Answer, cuts: list[int], chunks: list[int]
) -> None:
    stream = written(spoken, events_of(answer, cuts))
    assert read(spoken, cut(stream, chunks)) == read(spoken, [stream])


@EVERY_CLIENT
@some
@given(answers(), CUTS)
@example(REDACTED, [])
def test_a_whole_answer_says_what_a_stream_of_it_says(spoken: Format, answer: Answer, cuts: list[int]) -> None:
    codec = CODECS[spoken]
    body = json.loads(codec.write_answer(answer, LABEL, Changes()))
    streamed = gather(read(spoken, [written(spoken, events_of(answer, cuts))]))
    if spoken is CHAT:
        # A message has its thoughts, its words and its calls, and no order among them.
        kinds = (Thinking, Text, Call)
        ordered = [part for kind in kinds for part in streamed.parts if isinstance(part, kind)]
        streamed = replace(streamed, parts=tuple(neighbours_are_one(ordered)))
    assert compared(codec.read_answer(body, LABEL, Changes())) == compared(streamed)


@pytest.mark.parametrize("spoken", [ANTHROPIC, CHAT, RESPONSES])
@pytest.mark.parametrize("kind", ["invalid", "context", "rate_limit", "server", "overloaded"])
def test_a_failure_in_the_middle_is_read_as_one(spoken: Format, kind: str) -> None:
    said = "prompt is too long: “so” it is" if kind == "context" else "so it is"
    stream = written(spoken, [Start(), Open(Text("")), Delta("a"), Failed(Refusal(kind, said))])
    framing, reader = CODECS[spoken].Framing(), CODECS[spoken].AnswerReader(LABEL, Changes())
    last = [event for frame in framing.feed(stream) for event in reader.frame(frame)][-1]
    assert isinstance(last, Failed)
    assert (last.refusal.kind, last.refusal.message) == (kind, said)


@EVERY_CLIENT
def test_a_call_without_arguments_has_an_empty_object(spoken: Format) -> None:
    events = [Start(), Open(Call("c", "f")), Close(), End(Stop.CALLS)]
    assert [json.loads(part.arguments) for part in gather(read(spoken, [written(spoken, events)])).parts] == [{}]  # type: ignore[union-attr]


def test_calls_of_a_chat_answer_are_numbered() -> None:
    """By the number SDKs put their pieces together; the reader here would find its way without."""
    events = events_of(Answer(parts=(Call("a", "f", "{}"), Call("b", "f", "{}"))), [1])
    chunks = [json.loads(frame.data) for frame in sse.Stream().feed(written(CHAT, events)) if frame.data != b"[DONE]"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert [call["index"] for delta in deltas for call in delta.get("tool_calls", ())] == [0, 0, 0, 1, 1, 1]


# --- what only lanes say ---

Message = tuple[str, Any]


def messages_of(spoken: Format, answer: Answer, cuts: list[int]) -> list[Message]:
    """A stream that says `answer`, as the names and values of its messages."""
    if spoken is OLLAMA:
        return [("", line) for line in ollama_lines(answer, cuts)]
    if spoken is CONVERSE:
        return list(converse_events(answer, cuts))
    client = ANTHROPIC if spoken in (INVOKE, Format.VERTEX_ANTHROPIC) else spoken
    frames = sse.Stream().feed(written(client, events_of(answer, cuts)))
    return [(frame.name, None if frame.data == b"[DONE]" else json.loads(frame.data)) for frame in frames]


def stream_of(spoken: Format, messages: Iterable[Message]) -> bytes:
    return b"".join(_bytes(spoken, name, value) for name, value in messages)


def _bytes(spoken: Format, name: str, value: Any) -> bytes:
    data = json.dumps(value).encode()
    if spoken is OLLAMA:
        return data + b"\n"
    if spoken in (CONVERSE, INVOKE):
        inner = json.dumps({"bytes": base64.b64encode(data).decode(), "p": "abc"}).encode()
        event = "chunk" if spoken is INVOKE else name
        return eventstream.write({":message-type": "event", ":event-type": event}, inner if spoken is INVOKE else data)
    return sse.write(name, b"[DONE]" if value is None else data)


@pytest.mark.parametrize("spoken", [OLLAMA, CONVERSE])
@some
@given(answers(), CUTS, CUTS)
def test_what_a_lane_says_is_read(spoken: Format, answer: Answer, cuts: list[int], chunks: list[int]) -> None:
    events = read(spoken, cut(stream_of(spoken, messages_of(spoken, answer, cuts)), chunks))
    assert in_order(events)
    found = gather(events)
    assert found.end.usage == Usage(input=3, output=4)
    keep = [part for part in answer.parts if isinstance(part, Call) or part.text]
    assert _told(found.parts) == _told(keep)


def _told(parts: Iterable[AnswerPart]) -> list[Any]:
    """The words and calls of parts, without ids and seals."""
    bare = [replace(part, seal=None) if isinstance(part, Call | Thinking) else part for part in parts]
    joined = compared(Answer(parts=tuple(neighbours_are_one(nothing_for_nothing(bare))))).parts
    return [(part.name, part.arguments) if isinstance(part, Call) else part for part in joined]


@some
@given(answers(), CUTS)
def test_invoke_model_says_what_anthropic_says(answer: Answer, cuts: list[int]) -> None:
    messages = messages_of(ANTHROPIC, answer, cuts)
    assert read(INVOKE, [stream_of(INVOKE, messages)]) == read(ANTHROPIC, [stream_of(ANTHROPIC, messages)])


# --- damage ---


@st.composite
def damaged(draw: st.DrawFn, spoken: Format) -> list[bytes]:
    """A stream in pieces with messages left out, said twice, out of order, with other values in them, other bytes."""
    messages = messages_of(spoken, draw(answers()), draw(CUTS))
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(0, max(0, len(messages) - 1)))
        match draw(st.sampled_from(["value", "value", "value", "member", "out", "twice", "moved", "cut", "strange"])):
            case "out":
                del messages[n : n + 1]
            case "twice":
                messages[n:n] = through_json(messages[n : n + 1])
            case "moved":
                messages.insert(draw(st.integers(0, len(messages))), *[messages.pop(n)] if messages else [("", {})])
            case "cut":
                del messages[n:]
            case "strange":
                messages.insert(n, ("strange", draw(POISON)))
            case how:
                values = poisoned(draw, [value for _, value in messages], left_out=how == "member")
                messages = [(name, value) for (name, _), value in zip(messages, values, strict=True)]
    data = bytearray(stream_of(spoken, [(str(name), value) for name, value in messages]))
    for at, by in draw(st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), max_size=2)):
        if data and draw(st.booleans()):
            data[at % len(data)] ^= by
    return cut(bytes(data), draw(CUTS))


def interpreted(spoken: Format, client: Format, pieces: list[bytes]) -> list[Event]:
    """What is told of a stream, and said to a client, up to where it breaks or fails."""
    interpreter = Interpreter(SPEECHES[spoken], CODECS[client], LABEL, Names(), Changes())
    told = list[Event]()
    with suppress(MalformedStream):
        for piece in [*pieces, None]:
            events = interpreter.finish() if piece is None else interpreter.feed(piece)
            interpreter.say(events)
            told += events
            if any(isinstance(event, Failed) for event in events):
                break
    return told


@EVERY_LANE
@damage
@given(st.data(), st.sampled_from(list(CODECS)))
def test_a_damaged_stream_raises_malformed_stream_and_nothing_else(
    spoken: Format, data: st.DataObject, client: Format
) -> None:
    assert not overlapping(interpreted(spoken, client, data.draw(damaged(spoken))))


CREATED = {"type": "response.created"}
ODD_REASONING = {"type": "response.output_item.done", "item": {"type": "reasoning", "content": 5}}


@pytest.mark.parametrize(
    ("spoken", "values"),
    [
        (RESPONSES, [{"type": []}]),
        (RESPONSES, [CREATED, ODD_REASONING]),
        (CHAT, [{"choices": [{"delta": {"tool_calls": [{"index": [], "id": "c"}]}}]}]),
        (CHAT, [{"error": {"code": "²"}}]),
        (CHAT, [{"error": {"code": "4" * 5000}}]),
        (GEMINI, [{"error": {"details": [1]}}]),
    ],
)
def test_a_value_of_another_type_breaks_no_reader(spoken: Format, values: list[Any]) -> None:
    # `interpreted` lets MalformedStream pass and nothing else; whatever was told until then is well formed.
    assert not overlapping(interpreted(spoken, CHAT, [sse.write("", json.dumps(value).encode()) for value in values]))


def test_words_behind_a_call_without_arguments_have_an_end() -> None:
    function = {"name": "f", "arguments": ""}
    deltas = [{"tool_calls": [{"index": 0, "id": "c", "function": function}]}, {"content": "a"}]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    told = interpreted(CHAT, ANTHROPIC, [stream_of(CHAT, [("", value) for value in [*chunks, None]])])
    assert not overlapping(told)
    assert gather(told).parts == (Call("c", "f", "{}"), Text("a"))


@pytest.mark.parametrize("delta", ["response.reasoning_summary_text.delta", "response.function_call_arguments.delta"])
def test_an_item_whose_end_was_left_out_has_an_end(delta: str) -> None:
    item = {"type": "function_call", "call_id": "c", "name": "f"} if "call" in delta else {"type": "reasoning"}
    events = [
        CREATED,
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": delta, "output_index": 0, "delta": "{}"},
        {"type": "response.completed", "response": {"status": "completed"}},
    ]
    assert not overlapping(interpreted(RESPONSES, ANTHROPIC, [stream_of(RESPONSES, [("", e) for e in events])]))


def test_an_end_that_is_said_twice_is_told_once() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}
    told = interpreted(CHAT, ANTHROPIC, [stream_of(CHAT, [("", chunk), ("", None), ("", None)])])
    assert sum(isinstance(event, End) for event in told) == 1


def test_a_freeform_call_without_words_has_none() -> None:
    events = [Start(), Open(Call("c", "f", kind="custom")), Close(), End(Stop.CALLS)]
    assert gather(read(RESPONSES, [written(RESPONSES, events)])).parts == (Call("c", "f", "", "custom"),)


@EVERY_LANE
@some
@given(st.lists(st.binary(max_size=40), max_size=5), st.sampled_from(list(CODECS)))
@example([b"data: {\n\n", b"{\n"], CHAT)
@example([b"data: " + b"[" * 100_000 + b"\n\n", b"[" * 100_000 + b"\n"], CHAT)
def test_random_bytes_raise_malformed_stream_and_nothing_else(
    spoken: Format, pieces: list[bytes], client: Format
) -> None:
    assert not overlapping(interpreted(spoken, client, pieces))
    assert not overlapping(interpreted(spoken, client, [b"data: " + piece + b"\n\n" for piece in pieces]))


@EVERY_CLIENT
@settings(damage, max_examples=200)
@given(st.data(), answers(), st.sampled_from(list(CODECS)), st.booleans())
def test_a_damaged_whole_answer_is_refused_and_nothing_else(
    spoken: Format, data: st.DataObject, answer: Answer, client: Format, streamed: bool
) -> None:
    values = [json.loads(CODECS[spoken].write_answer(answer, LABEL, Changes()))]
    for _ in range(data.draw(st.integers(1, 2))):
        values = poisoned(data.draw, values, left_out=data.draw(st.booleans()))
    said = json.dumps(values[0]).encode()
    with suppress(MalformedStream, Refused):
        written, told = whole(said, SPEECHES[spoken], CODECS[client], LABEL, Names(), Changes(), streamed=streamed)
        assert told.complete
        assert streamed or isinstance(json.loads(written), dict)


# --- size ---


@pytest.mark.parametrize(("client", "factor"), [(ANTHROPIC, 0), (CHAT, 0), (RESPONSES, 3)])
def test_a_long_answer_is_not_held_in_memory(client: Format, factor: int) -> None:
    """But for the words of a Responses answer, whose last event repeats them."""
    interpreter = Interpreter(SPEECHES[CHAT], CODECS[client], LABEL, Names(), Changes())
    words, deltas, at_once, traced = "no more than 24 letters.", 200_000, 500, 20_000
    delta = written(CHAT, [Open(Text("")), Delta(words)])
    interpreter.say(interpreter.feed(written(CHAT, [Start()])))
    for n in range(deltas // at_once):
        if n * at_once == deltas - traced:
            # Tracing is slow, and what grows goes on growing.
            tracemalloc.start()
        assert interpreter.say(interpreter.feed(delta * at_once)).count(words.encode()) == at_once
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert interpreter.told.chars == deltas * len(words)
    assert grown < (traced * len(words) + deltas * 8) * factor + 50_000
