"""An answer that comes in one piece is told up to where it cannot be read, as it is when it comes in several; and what
stands in it that another format has to say in its own way is said, or noted.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lynkr.changes import Changes
from lynkr.conversation import Home
from lynkr.events import Delta, Event, Failed, MalformedStream, Passed, Unfinished
from lynkr.formats import CODECS, SPEECHES
from lynkr.framing import sse
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.translate.answer import Interpreter, Told, Unwrapper, whole
from lynkr.translate.tools import Names
from lynkr.usage import Usage

LABEL = Label(Home("main", "m"), "m", "1")

SAID = (
    b'{"model": "m", "message": {"role": "assistant", "content": "one "}, "done": false}\n'
    b'{"model": "m", "message": {"role": "assistant", "content": "two"}, "done": false}\n'
)


def interpreter() -> Interpreter:
    return Interpreter(SPEECHES[Format.OLLAMA], CODECS[Format.ANTHROPIC], LABEL, Names(), Changes())


def test_what_came_before_something_unreadable_is_told_and_then_the_error_comes() -> None:
    reader = interpreter()
    events = reader.feed(SAID + b"no JSON\n" + SAID)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "one two"
    with pytest.raises(MalformedStream, match="not a JSON object"):
        reader.feed(SAID)
    with pytest.raises(MalformedStream, match="not a JSON object"):
        reader.finish()


def test_where_nothing_came_before_it_the_error_comes_at_once() -> None:
    reader = interpreter()
    with pytest.raises(MalformedStream, match="not a JSON object"):
        reader.feed(b"no JSON\n")


# --- what a lane says and another format has to say after it -----------------------------------------------------------

NO_ARGUMENTS = (
    {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0,
     "content_block": {"type": "tool_use", "id": "toolu_1", "name": "List", "input": {}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
)  # fmt: skip


def events_of(*values: Any) -> bytes:
    """A stream of JSON events, each with its type as its name where it has one."""
    return b"".join(sse.write(value.get("type", ""), json.dumps(value).encode()) for value in values)


def streamed(lane: Format, client: Format, stream: bytes) -> tuple[list[Event], list[dict[str, Any]], Told, Changes]:
    """What a lane's stream tells, what the client gets of it, what the ledger does, and what was changed."""
    changes = Changes()
    reader = Interpreter(SPEECHES[lane], CODECS[client], LABEL, Names(), changes)
    events = [*reader.feed(stream), *reader.finish()]
    frames = sse.Stream().feed(reader.say(events))
    return events, [json.loads(frame.data) for frame in frames if frame.data != b"[DONE]"], reader.told, changes


def test_a_call_whose_only_piece_is_empty_has_an_object_for_arguments_in_chat() -> None:
    _, said, _, _ = streamed(Format.ANTHROPIC, Format.OPENAI_CHAT, events_of(*NO_ARGUMENTS))
    calls = [call for value in said for choice in value["choices"] for call in choice["delta"].get("tool_calls", ())]
    assert "".join(call["function"].get("arguments", "") for call in calls) == "{}"


def test_a_call_whose_only_piece_is_empty_has_an_object_for_arguments_in_responses() -> None:
    _, said, _, _ = streamed(Format.ANTHROPIC, Format.OPENAI_RESPONSES, events_of(*NO_ARGUMENTS))
    (done,) = [value["item"] for value in said if value["type"] == "response.output_item.done"]
    pieces = [value["delta"] for value in said if value["type"] == "response.function_call_arguments.delta"]
    assert (done["arguments"], "".join(pieces)) == ("{}", "{}")
    assert said[-1]["response"]["output"] == [done]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("input is too long for this model", "context"),
        ("Incorrect API key provided", "authentication"),
        ("Token limit reached", "invalid"),
    ],
)
def test_an_error_inside_of_a_chat_stream_is_of_the_kind_that_its_words_say(message: str, kind: str) -> None:
    error = {"error": {"message": message, "type": "invalid_request_error", "code": 400}}
    begun = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "So"}}]}
    events, _, told, _ = streamed(Format.OPENAI_CHAT, Format.ANTHROPIC, events_of(begun, error))
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert (failed.refusal.kind, failed.refusal.message) == (kind, message)
    assert told.failure == failed.refusal


CITED = [{"type": "url_citation", "url": "https://example.com", "start_index": 0, "end_index": 2}]
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
           "content": [{"type": "output_text", "text": "So", "annotations": CITED}]}  # fmt: skip
RESPONSE = {"id": "resp_1", "model": "m", "status": "completed", "output": [MESSAGE]}
CITING = {
    Format.OPENAI_CHAT: (
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "So", "annotations": CITED}}]},
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ),
    Format.OPENAI_RESPONSES: (
        {"type": "response.created", "response": {"id": "resp_1", "model": "m"}},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "So"},
        {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE},
        {"type": "response.completed", "response": RESPONSE},
    ),
}


def dropped(changes: Changes) -> list[str]:
    return [change.what for change in changes.listed() if change.did == "dropped"]


@pytest.mark.parametrize("lane", CITING)
def test_citations_of_a_streamed_answer_are_noted_as_dropped(lane: Format) -> None:
    events, _, _, changes = streamed(lane, Format.ANTHROPIC, events_of(*CITING[lane]))
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "So"
    assert dropped(changes) == ["citations"]


def whole_answer(lane: Format, value: dict[str, Any]) -> tuple[Told, Changes]:
    changes = Changes()
    body = json.dumps(value).encode()
    _, told = whole(body, SPEECHES[lane], CODECS[Format.ANTHROPIC], LABEL, Names(), changes, streamed=False)
    return told, changes


def test_citations_of_a_whole_responses_answer_are_noted_as_dropped() -> None:
    assert dropped(whole_answer(Format.OPENAI_RESPONSES, RESPONSE)[1]) == ["citations"]
    plain = {**MESSAGE, "content": [{"type": "output_text", "text": "So", "annotations": []}]}
    assert dropped(whole_answer(Format.OPENAI_RESPONSES, RESPONSE | {"output": [plain]})[1]) == []


@pytest.mark.parametrize(("requests", "extras"), [(1, True), (0, False)])
def test_a_search_that_is_billed_besides_tokens_is_marked_in_a_translated_answer(requests: int, extras: bool) -> None:
    figures = {"input_tokens": 9, "output_tokens": 7}
    response = RESPONSE | {"usage": figures, "tool_usage": {"web_search": {"num_requests": requests}}}
    *before, _ = CITING[Format.OPENAI_RESPONSES]
    stream = events_of(*before, {"type": "response.completed", "response": response})
    expected = Usage(input=9, output=7, extras=extras)
    assert whole_answer(Format.OPENAI_RESPONSES, response)[0].usage == expected
    assert streamed(Format.OPENAI_RESPONSES, Format.ANTHROPIC, stream)[2].usage == expected


# --- out of a cloud's envelope ----------------------------------------------------------------------------------------


def unwrapper() -> Unwrapper:
    return Unwrapper(SPEECHES[Format.VERTEX_ANTHROPIC], CODECS[Format.ANTHROPIC], LABEL, Names(), Changes())


@pytest.mark.parametrize("end", [b"\n\n", b"\n", b""])
def test_an_envelope_whose_last_event_lacks_its_blank_line_is_whole_and_all_of_it_is_passed_on(end: bytes) -> None:
    stream, reader = events_of(*NO_ARGUMENTS), unwrapper()
    events = reader.feed(stream.removesuffix(b"\n\n") + end)
    events += reader.finish()
    assert reader.told.complete
    assert b"".join(event.data for event in events if isinstance(event, Passed)) == stream


def test_an_envelope_that_stops_before_the_last_event_is_not_whole() -> None:
    reader = unwrapper()
    reader.feed(events_of(*NO_ARGUMENTS[:-1]))
    with pytest.raises(Unfinished):
        reader.finish()


def test_an_event_in_an_envelope_that_never_ends_is_refused_once_it_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lynkr.translate.answer.LIMIT", 100)
    reader = unwrapper()
    assert reader.feed(b"data: " + b"x" * 94) == []
    with pytest.raises(MalformedStream, match="has no end"):
        reader.feed(b"x")
