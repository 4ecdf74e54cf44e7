"""What a real answer said is still said when it is written in a client's format, streamed or whole, and read again.

Each format says less than the recordings do, each in its own way; what it leaves out is written down here, so that
nothing else gets lost. Sealed thoughts travel in lynkr's own envelope and come out of it as they went in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from _pytest.mark import ParameterSet

from lynkr.answer import Answer, gather, spread
from lynkr.changes import Changes
from lynkr.conversation import Call, Home, Opaque, Seal, Text, Thinking, unwrap
from lynkr.events import Delta, End, Event, Failed, Ping, Refusal, Start, Stop
from lynkr.formats import CODECS, SPEECHES
from lynkr.formats.gemini.envelope import opened
from lynkr.framing import sse
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.usage import Usage

FOLDER = Path(__file__).parent / "recordings"
RECORDED: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.rglob("*.json"))
}
ENDS = {
    "/v1/messages": Format.ANTHROPIC,
    "/chat/completions": Format.OPENAI_CHAT,
    "/responses": Format.OPENAI_RESPONSES,
    "enerateContent": Format.GEMINI,
    "/converse": Format.BEDROCK_CONVERSE,
    "/invoke": Format.BEDROCK_INVOKE,
}
HOME = Home("lane", "model")
LABEL = Label(HOME, "asked", "ours", 1)
ANSWERED = sorted(
    name for name, recorded in RECORDED.items() if recorded["status"] < 400 and not name.endswith("stream-error")
)
TARGETS = sorted(CODECS)

Said = list[tuple[Any, ...]]


def read(spoken: Format, stream: bytes) -> list[Event]:
    framing, reader = SPEECHES[spoken].Framing(), SPEECHES[spoken].AnswerReader(LABEL, Changes())
    events = [event for frame in [*framing.feed(stream), *framing.rest()] for event in reader.frame(frame)]
    return events if any(isinstance(event, End | Failed) for event in events) else events + reader.end()


def events_of(name: str) -> list[Event]:
    recorded = RECORDED[name]
    path = urlsplit(recorded["url"]).path
    spoken = next(spoken for end, spoken in ENDS.items() if path.endswith(end))
    if "sse" in recorded:
        return read(spoken, recorded["sse"].encode())
    return list(spread(SPEECHES[spoken].read_answer(recorded["response"], LABEL, Changes())))


def written(target: Format, events: Iterable[Event]) -> list[bytes]:
    """What is sent for each of `events`."""
    writer = CODECS[target].AnswerWriter(LABEL, Changes())
    return [writer.event(event) for event in events]


def streamed(target: Format, name: str) -> Answer:
    return gather(read(target, b"".join(written(target, events_of(name)))))


def whole(target: Format, name: str) -> Answer:
    codec = CODECS[target]
    body = json.loads(codec.write_answer(gather(events_of(name)), LABEL, Changes()))
    return codec.read_answer(body, LABEL, Changes())


# --- what is said, and what each format can say -------------------------------------------------------------------


def flat(answer: Answer) -> Said:
    """An answer's words, seals and calls, as (kind, …); a call's seal stands before it."""
    return joined(item for part in answer.parts for item in _flat(part))


def _flat(part: Text | Thinking | Call | Opaque) -> Iterator[tuple[Any, ...]]:
    match part:
        case Text() | Opaque():
            yield "text", part.text
        case Thinking():
            yield "thought", part.text
            yield "sealed", _open(part.seal)
        case Call():
            yield "sealed", _open(part.seal)
            yield "call", part.name, part.arguments and json.loads(part.arguments), part.id


def _open(seal: Seal | None) -> tuple[str, str] | None:
    """What is sealed, out of the envelope that a client's format put around it."""
    held = seal.data if seal else ""
    if seal and seal.kind == "openai.reasoning":
        held = json.loads(held)["encrypted_content"]
    if inner := unwrap(held):
        assert inner[0].home == HOME
        seal = inner[0]
    return (seal.kind, seal.data) if seal and seal.kind != "plain" else None


def joined(said: Iterable[tuple[Any, ...]]) -> Said:
    """Without what says nothing; words that follow words of their kind are one."""
    found: Said = []
    for kind, *what in said:
        if kind in ("text", "thought") and found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + what[0])
        elif what[0]:
            found.append((kind, *what))
    return found


def sayable(target: Format, answer: Answer) -> Said:
    """What `target` says of an answer."""
    said = flat(answer)
    if target is Format.OPENAI_CHAT:
        # Three fields in one message, and nothing for what is sealed.
        order = ["thought", "text", "call"]
        kept = [item for item in said if item[0] in order]
        return joined(sorted(kept, key=lambda item: order.index(item[0])))
    return joined(_in_calls(answer)) if target is Format.GEMINI else said


def _in_calls(answer: Answer) -> Iterator[tuple[Any, ...]]:
    """Gemini keeps a thought, and what is sealed, with the call that follows it."""
    last: Thinking | None = None
    for part in answer.parts:
        for item in _flat(part):
            if item[0] == "call" and isinstance(part, Call) and part.seal is None and last is not None:
                yield "sealed", (last.text, *(_open(last.seal) or ("plain", "")))
            if item[0] != "sealed" or isinstance(part, Call):
                yield item
        last = part if isinstance(part, Thinking) else None if isinstance(part, Call) else last


def again(target: Format, answer: Answer) -> Said:
    """What was read of what was written."""
    if target is not Format.GEMINI:
        return sayable(target, answer)
    parts = []
    for part in answer.parts:
        if isinstance(part, Call) and part.seal is not None:
            thought, seal = opened(part.seal.data)
            held = thought.seal if thought else None
            if thought is not None and held is not None:
                assert held.home == HOME
            parts.append((thought.text, held.kind, held.data) if thought and held else seal and (seal.kind, seal.data))
    signed = iter(parts)
    return joined(("sealed", next(signed)) if item[0] == "sealed" else item for item in flat(answer))


def figures(target: Format, usage: Usage) -> Usage:
    """Those that `target` has names for; what it has none for is in the others, and the sums stay."""
    written = usage.cache_write + usage.cache_write_1h
    usage = replace(usage, extras=False)
    match target:
        case Format.OPENAI_CHAT | Format.OPENAI_RESPONSES:
            return replace(usage, cache_write=written, cache_write_1h=0)
        case Format.GEMINI:
            return replace(usage, input=usage.input + written, cache_write=0, cache_write_1h=0)
    return usage


def ending(target: Format, end: End) -> Stop:
    if target is Format.ANTHROPIC:
        return end.stop
    return {Stop.SEQUENCE: Stop.END, Stop.CONTEXT: Stop.LENGTH, Stop.PAUSE: Stop.END}.get(end.stop, end.stop)


# --- answers ------------------------------------------------------------------------------------------------------


def in_each_format() -> list[ParameterSet]:
    """Every answer in every format."""
    return [pytest.param(name, target, id=f"{name}-{target}") for name in ANSWERED for target in TARGETS]


@pytest.mark.parametrize(("name", "target"), in_each_format())
def test_a_whole_answer_says_what_it_said(name: str, target: Format) -> None:
    assert again(target, whole(target, name)) == sayable(target, gather(events_of(name)))


@pytest.mark.parametrize(("name", "target"), in_each_format())
def test_a_streamed_answer_says_what_it_said(name: str, target: Format) -> None:
    assert again(target, streamed(target, name)) == sayable(target, gather(events_of(name)))


@pytest.mark.parametrize(("name", "target"), in_each_format())
def test_its_end_its_figures_and_its_name_are_those_it_had(name: str, target: Format) -> None:
    said = gather(events_of(name))
    # What OpenRouter billed is for the ledger and not for the client.
    usage = replace(figures(target, said.end.usage or Usage()), billed=None)
    for found in (whole(target, name), streamed(target, name)):
        assert found.end.stop is ending(target, said.end)
        assert found.end.usage == usage
        assert (found.id, found.model) == (said.id or LABEL.id, said.model or LABEL.model)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("stop", Stop)
def test_every_reason_to_end_is_told_as_well_as_the_format_can(stop: Stop, target: Format) -> None:
    """Where calls are what it ends for, there are calls; a format may tell it by them alone."""
    part = Call("call_1", "look", "{}") if stop is Stop.CALLS else Text("Hello.")
    said = Answer("id", "model", (part,), End(stop, Usage(1, output=2)))
    body = json.loads(CODECS[target].write_answer(said, LABEL, Changes()))
    assert CODECS[target].read_answer(body, LABEL, Changes()).end.stop is ending(target, said.end)
    stream = b"".join(written(target, spread(said)))
    assert gather(read(target, stream)).end.stop is ending(target, said.end)


def test_a_stop_sequence_keeps_its_words_where_there_is_a_field_for_them() -> None:
    said = Answer("id", "model", (Text("Hello."),), End(Stop.SEQUENCE, None, "END"))
    assert gather(read(Format.ANTHROPIC, b"".join(written(Format.ANTHROPIC, spread(said))))).end.sequence == "END"


# --- streams ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "target"), in_each_format())
def test_between_any_two_events_there_is_room_for_a_ping(name: str, target: Format) -> None:
    said = written(target, [event for event in events_of(name) if not isinstance(event, Ping)])
    ping = CODECS[target].PING
    assert written(target, [Ping()]) == [ping]
    pinged = read(target, ping + ping.join(said) + ping)
    assert [event for event in pinged if not isinstance(event, Ping)] == read(target, b"".join(said))


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_said_leaves_at_once(name: str) -> None:
    """Only Gemini's calls, which have no pieces, wait until they are whole."""
    events = events_of(name)
    for target in TARGETS:
        for event, said in zip(events, written(target, events), strict=True):
            if isinstance(event, Start | Delta | End):
                assert said or target is Format.GEMINI


def seals(name: str) -> set[str]:
    parts = gather(events_of(name)).parts
    return {part.seal.kind for part in parts if isinstance(part, Thinking) and part.seal}


def data(stream: bytes) -> list[tuple[str, dict[str, Any]]]:
    """(name, value) of the events in a stream."""
    frames = sse.Stream().feed(stream)
    return [(frame.name, json.loads(frame.data)) for frame in frames if frame.data != b"[DONE]"]


@pytest.mark.parametrize("name", ANSWERED)
def test_anthropics_events_come_in_their_order(name: str) -> None:
    found = data(b"".join(written(Format.ANTHROPIC, events_of(name))))
    assert [name for name, value in found] == [value["type"] for _, value in found]
    kinds = [value["type"] for _, value in found if value["type"] not in ("ping", "content_block_delta")]
    between = ["content_block_start", "content_block_stop"] * ((len(kinds) - 3) // 2)
    assert kinds == ["message_start", *between, "message_delta", "message_stop"]
    indexes = [value["index"] for _, value in found if value["type"] == "content_block_start"]
    assert indexes == list(range(len(indexes)))


@pytest.mark.parametrize("name", ANSWERED)
def test_responses_repeats_what_it_streamed(name: str) -> None:
    found = [value for _, value in data(b"".join(written(Format.OPENAI_RESPONSES, events_of(name))))]
    assert [value["sequence_number"] for value in found] == list(range(len(found)))
    begun = [value["item"] for value in found if value["type"] == "response.output_item.added"]
    done = [value["item"] for value in found if value["type"] == "response.output_item.done"]
    assert found[-1]["response"]["output"] == done
    assert [item["type"] for item in begun] == [item["type"] for item in done]
    for n, item in enumerate(done):
        pieces = [value for value in found if value.get("output_index") == n and value["type"].endswith(".delta")]
        assert {value["item_id"] for value in pieces} <= {begun[n]["id"]}
        words = "".join(value["delta"] for value in pieces)
        text = [part["text"] for part in item.get("content") or item.get("summary") or []]
        assert words == item.get("arguments", "".join(text))


@pytest.mark.parametrize("name", [name for name in ANSWERED if "openai.reasoning" in seals(name)])
def test_an_item_of_openais_own_has_one_name_from_its_beginning(name: str) -> None:
    """But for one whose words are streamed before its seal, and with it its name, is known."""
    if any(isinstance(part, Thinking) and part.text for part in gather(events_of(name)).parts):
        return
    found = [value for _, value in data(b"".join(written(Format.OPENAI_RESPONSES, events_of(name))))]
    begun = [value["item"]["id"] for value in found if value["type"] == "response.output_item.added"]
    assert begun == [value["item"]["id"] for value in found if value["type"] == "response.output_item.done"]


@pytest.mark.parametrize("name", ANSWERED)
def test_chats_pieces_are_of_one_answer(name: str) -> None:
    stream = b"".join(written(Format.OPENAI_CHAT, events_of(name)))
    assert stream.endswith(b"data: [DONE]\n\n")
    found = [value for _, value in data(stream)]
    assert len({(value["id"], value["model"], value["created"], value["object"]) for value in found}) == 1
    finishes = [choice["finish_reason"] for value in found for choice in value["choices"]]
    assert finishes[-1]
    assert not any(finishes[:-1])
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]


# --- errors -------------------------------------------------------------------------------------------------------

# What a client must be able to tell from each other: compact, wait, log in, give up.
TELLING = ("context", "rate_limit", "authentication", "overloaded", "server", "invalid")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", TELLING)
def test_an_error_is_the_same_error_in_every_format(kind: str, target: Format) -> None:
    message = "the input token count exceeds the maximum context length" if kind == "context" else "It is so."
    status, body = CODECS[target].refusal_body(Refusal(kind, message))
    found = CODECS[target].read_refusal(json.loads(body))
    assert found.kind == kind
    assert message in found.message
    assert status >= 400


@pytest.mark.parametrize("target", [target for target in TARGETS if target is not Format.GEMINI])
@pytest.mark.parametrize("kind", TELLING)
def test_an_error_in_a_stream_is_read_as_that(kind: str, target: Format) -> None:
    """Gemini's has no event for it; its clients are tested with it."""
    said = [*list(spread(Answer("id", "model", (Text("Hello."),))))[:3], Failed(Refusal(kind, "It is so."))]
    found = read(target, b"".join(written(target, said)))
    assert isinstance(found[-1], Failed)
    assert "It is so." in found[-1].refusal.message
    assert found[-1].refusal.kind == kind
