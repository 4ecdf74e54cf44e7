"""What real answers and requests say is what is read in them, however a stream arrives in pieces.

What is expected is taken from the raw JSON here, in the vendors' own names; `recordings/README.md` says where it is
from. An answer is told flat, so that formats can be compared: its words, what is sealed, its calls, in their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.answer import Answer, gather
from lynkr.changes import Changes
from lynkr.conversation import Call, Conversation, Home, Opaque, Result, Seal, Text, Thinking, Tool
from lynkr.events import Close, Delta, End, Event, Failed, Open, Start, Stop
from lynkr.formats import CODECS, SPEECHES
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.translate.answer import refusal

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
LABEL = Label(Home("lane", "model"), "asked", "ours", 1)
REFUSED = {name for name, recorded in RECORDED.items() if recorded["status"] >= 400}
BROKEN = {"chat-stream-error", "chat-groq-stream-error"}
ANSWERED = sorted(set(RECORDED) - REFUSED - BROKEN)
STREAMED = [name for name in sorted(RECORDED) if "sse" in RECORDED[name]]

Said = list[tuple[Any, ...]]


def format_of(name: str) -> Format:
    path = urlsplit(RECORDED[name]["url"]).path
    return next(spoken for end, spoken in ENDS.items() if path.endswith(end))


def body_of(name: str) -> bytes:
    return str(RECORDED[name]["sse"]).encode()


def events_of(name: str, pieces: Iterable[bytes]) -> list[Event]:
    speech = SPEECHES[format_of(name)]
    framing, reader = speech.Framing(), speech.AnswerReader(LABEL, Changes())
    events = [event for piece in pieces for frame in framing.feed(piece) for event in reader.frame(frame)]
    events += [event for frame in framing.rest() for event in reader.frame(frame)]
    return events if any(isinstance(event, End | Failed) for event in events) else events + reader.end()


def answer_of(name: str) -> Answer:
    if name in STREAMED:
        return gather(events_of(name, [body_of(name)]))
    return SPEECHES[format_of(name)].read_answer(RECORDED[name]["response"], LABEL, Changes())


def joined(said: Iterable[tuple[Any, ...]]) -> Said:
    """Without what says nothing; words that follow words of their kind are one."""
    whole: Said = []
    for kind, *what in said:
        if kind in ("text", "thought") and whole and whole[-1][0] == kind:
            whole[-1] = (kind, whole[-1][1] + what[0])
        elif what[0]:
            whole.append((kind, *what))
    return whole


# --- what lynkr read ----------------------------------------------------------------------------------------------


def told(answer: Answer) -> Said:
    return joined(item for part in answer.parts for item in _told(part))


def _told(part: Text | Thinking | Call | Opaque) -> Iterator[tuple[Any, ...]]:
    match part:
        case Text():
            yield "text", part.text
        case Thinking():
            yield "thought", part.text
            yield "sealed", _inside(part.seal)
        case Call():
            yield "call", part.name, json.loads(part.arguments), part.id
            yield "sealed", _inside(part.seal)
        case Opaque():
            yield "other", part.what


def _inside(seal: Seal | None) -> Any:
    if seal is None:
        return None
    if seal.kind == "openai.reasoning":
        return json.loads(seal.data)["encrypted_content"]
    return json.loads(seal.data) if seal.kind == "chat.details" else seal.data


# --- what was recorded --------------------------------------------------------------------------------------------


def values(name: str) -> list[dict[str, Any]]:
    """The JSON objects of the answer, found without any of lynkr's own reading."""
    if name not in STREAMED:
        return [RECORDED[name]["response"]]
    return [json.loads(line) for line in re.findall(r"^data: ?(\{.*\})\s*$", RECORDED[name]["sse"], re.MULTILINE)]


def messages_said(found: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    blocks: list[dict[str, Any]] = list(found[0].get("content", []))
    for value in found:
        match value:
            case {"type": "content_block_start", "content_block": block}:
                blocks.append({**block, "json": ""})
            case {"type": "content_block_delta", "delta": {"type": kind, **delta}}:
                name = {"input_json_delta": "json", "signature_delta": "signature"}.get(kind, kind[: -len("_delta")])
                blocks[-1][name] = (blocks[-1].get(name) or "") + delta.get("partial_json", delta.get(name, ""))
    for block in blocks:
        match block["type"]:
            case "text":
                yield "text", block["text"]
            case "thinking":
                yield "thought", block["thinking"]
                yield "sealed", block["signature"]
            case "redacted_thinking":
                yield "sealed", block["data"]
            case "tool_use":
                yield "call", block["name"], json.loads(block.get("json") or "null") or block["input"], block["id"]
            case other:
                yield "other", other


def chat_said(found: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    pieces = [choice for value in found for choice in value.get("choices", []) if choice.get("index") == 0]
    pieces = [piece.get("message") or piece.get("delta") or {} for piece in pieces]
    content = [part for piece in pieces for part in _content(piece.get("content"))]
    for piece in pieces:
        yield "thought", piece.get("reasoning_content") or piece.get("reasoning") or ""
    for part in content:
        yield from (("thought", inner["text"]) for inner in part.get("thinking", []))
    yield "sealed", _whole([detail for piece in pieces for detail in piece.get("reasoning_details") or []])
    for part in content:
        yield "text", part.get("text", "")
    calls: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        for n, call in enumerate(piece.get("tool_calls") or []):
            whole = calls.setdefault(call.get("index", n), {"id": call.get("id") or "", "name": "", "arguments": ""})
            for key in ("name", "arguments"):
                whole[key] += call["function"].get(key) or ""
    for call in calls.values():
        yield "call", call["name"], json.loads(call["arguments"] or "{}"), call["id"]


def _content(content: Any) -> list[dict[str, Any]]:
    return [{"text": content}] if isinstance(content, str) else content or []


def _whole(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Details as they have to go back: pieces of one (they have one index) put together."""
    whole: dict[object, dict[str, Any]] = {}
    for detail in details:
        kept = whole.setdefault((detail["type"], detail.get("index", len(whole))), {})
        for key, value in detail.items():
            if key in ("text", "summary"):
                kept[key] = kept.get(key, "") + value
            elif value is not None or key not in kept:
                kept[key] = value
    return list(whole.values())


def responses_said(found: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    items: dict[int, dict[str, Any]] = dict(enumerate(found[0].get("output", [])))
    items |= {
        value["output_index"]: value["item"] for value in found if value.get("type") == "response.output_item.done"
    }
    words: dict[int, list[str]] = {}
    for value in found:
        if re.fullmatch(r"response\.(output|reasoning|reasoning_summary)_text\.delta", value.get("type", "")):
            words.setdefault(value["output_index"], []).append(value["delta"])
        elif value.get("type") == "response.reasoning_summary_part.added" and value["summary_index"]:
            words.setdefault(value["output_index"], []).append("\n\n")
    for n, item in sorted(items.items()):
        match item["type"]:
            case "message":
                yield "text", "".join(words.get(n) or [part["text"] for part in item["content"]])
            case "reasoning":
                pieces = item.get("content") or item["summary"]
                yield "thought", "".join(words.get(n) or ["\n\n".join(part["text"] for part in pieces)])
                yield "sealed", item.get("encrypted_content")
            case "function_call":
                yield "call", item["name"], json.loads(item["arguments"]), item["call_id"]
            case other:
                yield "other", other


def gemini_said(found: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    candidates = [value["candidates"][0] for value in found if value.get("candidates")]
    for part in (part for candidate in candidates for part in candidate.get("content", {}).get("parts", [])):
        match part:
            case {"text": words}:
                yield ("thought" if part.get("thought") else "text"), words
            case {"functionCall": call}:
                yield "call", call["name"], call.get("args") or {}, call.get("id", "")
            case _:
                yield "other", next(name for name in part if name != "thoughtSignature")
        if "text" in part or "functionCall" in part:
            yield "sealed", part.get("thoughtSignature")


def converse_said(found: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for block in found[0]["output"]["message"]["content"]:
        match block:
            case {"text": words}:
                yield "text", words
            case {"toolUse": use}:
                yield "call", use["name"], use["input"], use["toolUseId"]


SAID: dict[Format, Callable[[list[dict[str, Any]]], Iterator[tuple[Any, ...]]]] = {
    Format.ANTHROPIC: messages_said, Format.BEDROCK_INVOKE: messages_said, Format.OPENAI_CHAT: chat_said,
    Format.OPENAI_RESPONSES: responses_said, Format.GEMINI: gemini_said, Format.BEDROCK_CONVERSE: converse_said,
}  # fmt: skip


def recorded(name: str) -> Said:
    return joined(SAID[format_of(name)](values(name)))


def recorded_figures(name: str) -> tuple[int, int, int, int]:
    """(input that was not cached, read from the cache, written to it, output), in all."""
    found = values(name)
    match format_of(name):
        case Format.ANTHROPIC | Format.BEDROCK_INVOKE:
            usage = dict(found[0].get("message", found[0])["usage"])
            for value in found:
                usage |= {key: figure for key, figure in value.get("usage", {}).items() if figure is not None}
            rounds = usage.get("iterations") or [usage]
            names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
            fresh, read, written, output = (sum(usage.get(name) or 0 for usage in rounds) for name in names)
            return fresh, read, written, output
        case Format.OPENAI_CHAT:
            usage = [u for v in found if (u := v.get("usage") or (v.get("x_groq") or {}).get("usage"))][-1]
            details, prompt = usage.get("prompt_tokens_details") or {}, usage["prompt_tokens"]
            read, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
            return prompt - read - written, read, written, usage["total_tokens"] - prompt
        case Format.OPENAI_RESPONSES:
            usage = found[-1].get("response", found[-1])["usage"]
            details = usage["input_tokens_details"]
            read, written = details["cached_tokens"], details.get("cache_write_tokens", 0)
            return usage["input_tokens"] - read - written, read, written, usage["output_tokens"]
        case Format.GEMINI:
            usage = found[-1]["usageMetadata"]
            read = usage.get("cachedContentTokenCount", 0)
            prompt = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
            return prompt - read, read, 0, usage.get("totalTokenCount", 0) - prompt
    usage = found[0]["usage"]
    return usage["inputTokens"], 0, 0, usage["outputTokens"]


STOPS = {
    Stop.END: ("end_turn", "stop", "completed", "STOP"),
    Stop.CALLS: ("tool_use", "tool_calls"),
    Stop.LENGTH: ("max_tokens", "compaction", "length", "MAX_TOKENS"),
    Stop.REFUSED: ("SAFETY", "MODEL_ARMOR"),
}


def recorded_stop(name: str) -> Stop:
    """Why the answer ended, by the vendor's own word; where that is the same with and without calls, by the calls."""
    text = json.dumps(values(name))
    if "blockReason" in text:
        return Stop.REFUSED
    where = "status" if format_of(name) is Format.OPENAI_RESPONSES else r"stop_?[rR]eason|finish_?[rR]eason"
    word = re.findall(rf'"(?:{where})": "(\w+)"', text)[-1]
    if where == "status":
        word = values(name)[-1].get("response", values(name)[-1])["status"]
    stop = next(stop for stop, words in STOPS.items() if word in words)
    return Stop.CALLS if stop is Stop.END and any(said[0] == "call" for said in told(answer_of(name))) else stop


# --- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_says_what_was_recorded(name: str) -> None:
    assert [said[:3] for said in told(answer_of(name))] == [said[:3] for said in recorded(name)]


@pytest.mark.parametrize("name", ANSWERED)
def test_calls_keep_their_ids_and_get_one_where_they_have_none(name: str) -> None:
    given = [said[3] for said in recorded(name) if said[0] == "call"]
    ids = [part.id for part in answer_of(name).parts if isinstance(part, Call)]
    assert [mine for mine, its in zip(ids, given, strict=True) if its] == [its for its in given if its]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ANSWERED)
def test_it_ends_for_the_recorded_reason(name: str) -> None:
    assert answer_of(name).end.stop is recorded_stop(name)


@pytest.mark.parametrize("name", ANSWERED)
def test_its_figures_are_those_that_were_recorded(name: str) -> None:
    usage = answer_of(name).end.usage
    assert usage is not None
    written = usage.cache_write + usage.cache_write_1h
    assert (usage.input, usage.cache_read, written, usage.output) == recorded_figures(name)


@pytest.mark.parametrize("name", ANSWERED)
def test_it_has_the_recorded_name_and_model(name: str) -> None:
    answer, found = answer_of(name), values(name)
    first = found[0].get("message") or found[0].get("response") or found[0]
    no_name = "msg_ours" if format_of(name) is Format.BEDROCK_CONVERSE else ""
    assert answer.id == first.get("id", first.get("responseId", no_name))
    assert answer.model == first.get("model", first.get("modelVersion", "model"))


@pytest.mark.parametrize("name", STREAMED)
def test_parts_begin_and_end_one_after_another(name: str) -> None:
    events = events_of(name, [body_of(name)])
    first, *between, last = [event for event in events if isinstance(event, Start | Open | Close | End | Failed)]
    assert isinstance(first, Start)
    assert isinstance(last, Failed if name in BROKEN else End)
    assert events[-1] is last
    kinds = [type(event) for event in between]
    assert kinds == [Open, Close] * (len(kinds) // 2) + [Open] * (len(kinds) % 2)
    assert name in BROKEN or len(kinds) % 2 == 0


# A frame with words, or with a piece of arguments.
PIECE = {
    Format.ANTHROPIC: rb'_delta", ?"(?:text|thinking)": ?"[^"]',
    Format.OPENAI_CHAT: rb'"(?:content|reasoning|reasoning_content|arguments)": ?"[^"]',
    Format.OPENAI_RESPONSES: rb'"type": ?"response\.(?:\w+_text|function_call_arguments)\.delta"',
    Format.GEMINI: rb'"text": ?"[^"]',
}


@pytest.mark.parametrize("name", STREAMED)
def test_words_are_told_as_soon_as_they_are_there(name: str) -> None:
    speech = SPEECHES[format_of(name)]
    framing, reader = speech.Framing(), speech.AnswerReader(LABEL, Changes())
    for frame in framing.feed(body_of(name)):
        told = sum(isinstance(event, Delta) for event in reader.frame(frame))
        assert told == 1 if re.search(PIECE[speech.NAME], frame.data) else told <= 1


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_that_comes_byte_by_byte_says_the_same(name: str) -> None:
    body = body_of(name)
    assert events_of(name, [body[at : at + 1] for at in range(len(body))]) == events_of(name, [body])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(STREAMED), st.data())
def test_however_the_stream_is_cut_into_chunks_it_says_the_same(name: str, data: st.DataObject) -> None:
    body = body_of(name)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert events_of(name, pieces) == events_of(name, [body])


def test_everything_that_an_answer_can_say_occurs_in_some_recording() -> None:
    said = {(format_of(name), what[0]) for name in ANSWERED for what in recorded(name)}
    for spoken in (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI):
        kinds = ("text", "thought", "sealed", "call")
        assert {kind for kind in kinds if (spoken, kind) in said} == set(kinds)
    assert {recorded_stop(name) for name in ANSWERED} >= {Stop.END, Stop.CALLS, Stop.LENGTH, Stop.REFUSED}


# --- errors -------------------------------------------------------------------------------------------------------

KINDS = dict.fromkeys(REFUSED, "invalid")
KINDS |= {"chat-groq-not-found": "not_found", "chat-openrouter-refusal": "rate_limit"}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refusal_is_understood(name: str) -> None:
    body, status = RECORDED[name]["response"], RECORDED[name]["status"]
    speech = SPEECHES[format_of(name)]
    assert speech.read_refusal(body).kind == KINDS[name]
    found = refusal(json.dumps(body).encode(), status, "7", speech)
    assert (found.kind, found.message) == (KINDS[name], body["error"]["message"])
    assert (found.status, found.retry_after) == (status, "7")


@pytest.mark.parametrize(("name", "said", "message"), [
    ("chat-stream-error", "", "Token limit reached"),
    ("chat-groq-stream-error", "maybe", "Tool choice is required, but model did not call a tool"),
])  # fmt: skip
def test_an_error_in_a_stream_comes_after_what_was_said(name: str, said: str, message: str) -> None:
    events = events_of(name, [body_of(name)])
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert (failed.refusal.kind, failed.refusal.message) == ("invalid", message)
    before = events[: events.index(failed)]
    assert "".join(event.text for event in before if isinstance(event, Delta)).endswith(said)
    assert any(isinstance(event, Delta) for event in before)


# --- requests -----------------------------------------------------------------------------------------------------

ASKED = sorted(
    name for name, recorded in RECORDED.items() if {"messages", "input", "contents"} & set(recorded["request"])
)
WORDS = ("text", "content", "thinking", "reasoning", "reasoning_content", "output", "input", "system", "instructions")


def asked(value: Any, key: str = "input") -> Iterator[tuple[Any, ...]]:
    """The words and calls in a request, in their order, whatever its format."""
    match value:
        case str() if key in WORDS:
            yield "text", value
        case list():
            for inner in value:
                yield from asked(inner, key)
        case {"name": name, "input": given} | {"name": name, "args": given}:
            yield "call", name, given
        case {"name": name, "arguments": str(given)}:
            yield "call", name, json.loads(given)
        case {"functionResponse": {"response": given}}:
            yield "text", json.dumps(given, separators=(",", ":"))
        case dict():
            order = {"reasoning_content": -1, "tool_calls": 1}
            for name, inner in sorted(value.items(), key=lambda item: order.get(item[0], 0)):
                yield from asked(inner, name)


def understood(conversation: Conversation) -> Iterator[tuple[Any, ...]]:
    for part in (*conversation.system, *(part for turn in conversation.turns for part in turn.parts)):
        for inner in part.parts if isinstance(part, Result) else [part]:
            match inner:
                case Text() | Thinking():
                    yield "text", inner.text
                case Call():
                    yield "call", inner.name, json.loads(inner.arguments)


@pytest.mark.parametrize("name", ASKED)
def test_a_request_says_what_was_recorded(name: str) -> None:
    request = RECORDED[name]["request"]
    told = [request.get(key, []) for key in ("system", "instructions", "systemInstruction")]
    told += [request.get(key, []) for key in ("messages", "input", "contents")]
    conversation = CODECS[format_of(name)].read_request(request)
    assert joined(understood(conversation)) == joined(asked(told))
    assert [tool.name for tool in conversation.tools if isinstance(tool, Tool)] == re.findall(
        r'"name": "(\w+)"', json.dumps(request.get("tools", []))
    )


def test_googles_settings_are_read_in_both_spellings() -> None:
    request = RECORDED["gemini-thinking"]["request"]
    assert request["generationConfig"]["thinkingConfig"] == {"include_thoughts": True}
    assert CODECS[Format.GEMINI].read_request(request).reasoning.shown is True
