"""Upstreams of every format that play a coding tool's two-step loop: a call, then, once its result is there, the end.

What they say follows the recordings in tests/wire/recordings and, for Ollama and Bedrock, the vendors' documents:
pieces of arguments as those providers cut them, their ids, their figures, thoughts where their models think.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable
from typing import Any
from zlib import crc32

from scripts import (
    ANTHROPIC_USAGE,
    CHAT_USAGE,
    END,
    RESPONSES_USAGE,
    Asked,
    Script,
    Step,
    anthropic_events,
    chunk,
    event,
    head,
    stream,
    whole,
)

# Pieces in which providers send a call's arguments.
PIECE = 7


def loop(tool: str, arguments: dict[str, Any], text: str = "All done.") -> dict[str, Script]:
    """A script for each format: calls `tool` once, if it is offered, then says `text`."""
    return {
        "anthropic": _script(tool, arguments, text, anthropic_says),
        "openai-chat": _script(tool, arguments, text, _chat),
        "openai-responses": _script(tool, arguments, text, _responses),
        "gemini": _script(tool, arguments, text, _gemini),
        "ollama": _script(tool, arguments, text, _ollama),
        "bedrock-converse": _script(tool, arguments, text, _converse),
        "bedrock-invoke": _script(tool, arguments, text, _invoke),
    }


def _script(tool: str, arguments: dict[str, Any], text: str, say: Any) -> Script:
    def script(asked: Asked) -> Iterable[Step]:
        if asked.method != "POST":
            return whole({"error": {"message": "no such path"}}, 404)
        body = asked.json
        tools = json.dumps(body.get("tools") or body.get("toolConfig") or [])
        answered = any(mark in asked.body for mark in RESULT_MARKS)
        call = None if answered or f'"{tool}"' not in tools else (tool, arguments)
        words = text if call or answered else '{"title": "A listing"}'
        return say(asked, words if call is None else "", call)

    return script


# How a call's result looks in each format; clients talk about some of these words in their prompts.
RESULT_MARKS = (
    b'"type":"tool_result"',
    b'"role":"tool"',
    b'"type":"function_call_output"',
    b'"functionResponse":{',
    b'"toolResult":{',
)
Called = tuple[str, dict[str, Any]] | None


def _pieces(text: str) -> list[str]:
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def _anthropic_answer(words: str, call: Called, model: str) -> tuple[list[dict[str, Any]], str]:
    content: list[dict[str, Any]] = [{"type": "text", "text": words or "I look."}]
    if call:
        content.append({"type": "tool_use", "id": "toolu_01A", "name": call[0], "input": call[1]})
    return content, "tool_use" if call else "end_turn"


def anthropic_says(asked: Asked, words: str, call: Called, usage: dict[str, Any] = ANTHROPIC_USAGE) -> list[Step]:
    body = asked.json
    content, stop = _anthropic_answer(words, call, body["model"])
    if not body.get("stream"):
        message = {"id": "msg_01", "type": "message", "role": "assistant", "model": body["model"], "content": content}
        return whole({**message, "stop_reason": stop, "stop_sequence": None, "usage": usage})
    events = anthropic_events(content, stop, usage, body["model"])
    if call:
        # Models that think do so first, and sign it.
        thought = {"type": "thinking", "thinking": "", "signature": ""}
        signed = [
            event("content_block_start", {"type": "content_block_start", "index": 0, "content_block": thought}),
            event("content_block_delta", {"type": "content_block_delta", "index": 0,
                                          "delta": {"type": "thinking_delta", "thinking": "A listing is wanted."}}),
            event("content_block_delta", {"type": "content_block_delta", "index": 0,
                                          "delta": {"type": "signature_delta", "signature": "EqQBCgIYAhIM"}}),
            event("content_block_stop", {"type": "content_block_stop", "index": 0}),
        ]  # fmt: skip
        moved = [e.replace(b'"index": 1', b'"index": 2').replace(b'"index": 0', b'"index": 1') for e in events[1:]]
        events = [events[0], *signed, *moved]
    return stream(events)


def _chat(asked: Asked, words: str, call: Called) -> list[Step]:
    body = asked.json
    base = {"id": "chatcmpl-BzXk1", "created": 1752602000, "model": body["model"], "system_fingerprint": None}
    calls = []
    if call:
        function = {"name": call[0], "arguments": json.dumps(call[1])}
        calls = [{"id": "call_FNQdE1", "type": "function", "function": function}]
    finish = "tool_calls" if call else "stop"
    if not body.get("stream"):
        message = {"role": "assistant", "content": words or None, **({"tool_calls": calls} if calls else {})}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return whole({**base, "object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE})
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if call else "", "refusal": None}]
    if call:
        deltas[0]["tool_calls"] = [{**calls[0], "index": 0, "function": {"name": call[0], "arguments": ""}}]
        for piece in _pieces(calls[0]["function"]["arguments"]):
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    deltas += [{"content": piece} for piece in _pieces(words)]
    base |= {"object": "chat.completion.chunk"}
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({**base, "choices": [], "usage": CHAT_USAGE})
    return stream([*(f"data: {json.dumps(c)}\n\n".encode() for c in chunks), b"data: [DONE]\n\n"])


def _responses(asked: Asked, words: str, call: Called) -> list[Step]:
    items: list[dict[str, Any]] = []
    if call:
        thought = {"type": "reasoning", "id": "rs_68", "summary": [], "encrypted_content": "gAAAAABn"}
        called = {"type": "function_call", "id": "fc_68", "call_id": "call_68", "status": "completed", "name": call[0]}
        items = [thought, {**called, "arguments": json.dumps(call[1])}]
    else:
        content = [{"type": "output_text", "text": words, "annotations": []}]
        items = [{"type": "message", "id": "msg_68", "status": "completed", "role": "assistant", "content": content}]
    response = {"id": "resp_68", "object": "response", "created_at": 1, "model": asked.json["model"], "output": items}
    done = {**response, "status": "completed", "error": None, "incomplete_details": None, "usage": RESPONSES_USAGE}
    if not asked.json.get("stream"):
        return whole(done)
    events = [{"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}]
    for at, item in enumerate(items):
        place = {"item_id": item["id"], "output_index": at}
        begun = {**item, "arguments": ""} if "arguments" in item else {**item, "content": []}
        events.append({"type": "response.output_item.added", "output_index": at, "item": begun})
        if "arguments" in item:
            for piece in _pieces(item["arguments"]):
                events.append({"type": "response.function_call_arguments.delta", **place, "delta": piece})
        if item["type"] == "message":
            part = {**place, "content_index": 0}
            empty = {**item["content"][0], "text": ""}
            events.append({"type": "response.content_part.added", **part, "part": empty})
            for piece in _pieces(words):
                events.append({"type": "response.output_text.delta", **part, "delta": piece})
            events.append({"type": "response.output_text.done", **part, "text": words})
            events.append({"type": "response.content_part.done", **part, "part": item["content"][0]})
        events.append({"type": "response.output_item.done", "output_index": at, "item": item})
    events.append({"type": "response.completed", "response": done})
    return stream([event(e["type"], {**e, "sequence_number": n}) for n, e in enumerate(events)])


def _gemini(asked: Asked, words: str, call: Called) -> list[Step]:
    parts: list[dict[str, Any]] = [{"text": words}]
    if call:
        parts = [
            {"text": "A listing is wanted.", "thought": True},
            {"functionCall": {"name": call[0], "args": call[1]}, "thoughtSignature": "CiQB0e2Kb3NpZ25lZA=="},
        ]
    figures = {"promptTokenCount": 900, "candidatesTokenCount": 20, "thoughtsTokenCount": 10, "totalTokenCount": 930}
    figures["cachedContentTokenCount"] = 512
    tail = {"usageMetadata": figures, "modelVersion": "gemini-3-pro-preview", "responseId": "Xk9maL"}
    chunks = [{"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}], **tail} for part in parts]
    chunks[-1]["candidates"][0]["finishReason"] = "STOP"  # type: ignore[index]
    if ":streamGenerateContent" in asked.path:
        return stream(f"data: {json.dumps(c)}\r\n\r\n".encode() for c in chunks)
    content = {"parts": parts, "role": "model"}
    return whole({"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], **tail})


def _ollama(asked: Asked, words: str, call: Called) -> list[Step]:
    base = {"model": asked.json["model"], "created_at": "2026-08-21T10:00:00.123456Z"}
    lines: list[dict[str, Any]] = [{"role": "assistant", "content": piece} for piece in _pieces(words)]
    if call:
        called = {"function": {"name": call[0], "arguments": call[1]}}
        lines = [
            {"role": "assistant", "content": "", "thinking": "A listing "},
            {"role": "assistant", "content": "", "thinking": "is wanted."},
            {"role": "assistant", "content": "", "tool_calls": [called]},
        ]
    last = {"done": True, "done_reason": "stop", "total_duration": 1, "prompt_eval_count": 900, "eval_count": 30}
    if not asked.json.get("stream"):
        calls = {"tool_calls": lines[-1]["tool_calls"]} if call else {}
        return whole({**base, "message": {"role": "assistant", "content": words, **calls}, **last})
    said = [{**base, "message": line, "done": False} for line in lines]
    said.append({**base, "message": {"role": "assistant", "content": ""}, **last})
    body = b"".join(json.dumps(line).encode() + b"\n" for line in said)
    half = len(body) // 2
    return [head(200, "Content-Type: application/x-ndjson", f"Content-Length: {len(body)}") + body[:half], body[half:]]


# --- Bedrock, as AWS documents its event streams -----------------------------------------------------------------------


def aws(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of an AWS event stream."""
    said = b""
    for name, value in headers.items():
        said += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(said) + len(payload), len(said))
    message = prelude + struct.pack(">I", crc32(prelude)) + said + payload
    return message + struct.pack(">I", crc32(message))


def aws_event(kind: str, payload: dict[str, Any]) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return aws(headers, json.dumps(payload).encode())


AWS_HEAD = head(
    200,
    "Content-Type: application/vnd.amazon.eventstream",
    "Transfer-Encoding: chunked",
    "x-amzn-RequestId: r-1",
)


def _converse(asked: Asked, words: str, call: Called) -> list[Step]:
    usage = {"inputTokens": 388, "outputTokens": 30, "totalTokens": 930, "cacheReadInputTokens": 512}
    content: list[dict[str, Any]] = [{"text": words or "I look."}]
    if call:
        content.append({"toolUse": {"toolUseId": "tooluse_k1", "name": call[0], "input": call[1]}})
    stop = "tool_use" if call else "end_turn"
    if not asked.path.endswith("-stream"):
        message = {"role": "assistant", "content": content}
        return whole({"output": {"message": message}, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 1}})
    events = [aws_event("messageStart", {"role": "assistant", "p": "abcd"})]
    for piece in _pieces(content[0]["text"]):
        events.append(aws_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}))
    events.append(aws_event("contentBlockStop", {"contentBlockIndex": 0}))
    if call:
        start = {"toolUse": {"toolUseId": "tooluse_k1", "name": call[0]}}
        events.append(aws_event("contentBlockStart", {"contentBlockIndex": 1, "start": start}))
        for piece in _pieces(json.dumps(call[1])):
            delta = {"toolUse": {"input": piece}}
            events.append(aws_event("contentBlockDelta", {"contentBlockIndex": 1, "delta": delta}))
        events.append(aws_event("contentBlockStop", {"contentBlockIndex": 1}))
    events.append(aws_event("messageStop", {"stopReason": stop}))
    events.append(aws_event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}))
    return [AWS_HEAD, *map(chunk, events), END]


def _invoke(asked: Asked, words: str, call: Called) -> list[Step]:
    content, stop = _anthropic_answer(words, call, "claude-opus-4-8")
    if not asked.path.endswith("-response-stream"):
        message = {"id": "msg_bdrk_01", "type": "message", "role": "assistant", "model": "claude-opus-4-8"}
        return whole({**message, "content": content, "stop_reason": stop, "stop_sequence": None,
                      "usage": ANTHROPIC_USAGE})  # fmt: skip
    events = anthropic_events(content, stop, ANTHROPIC_USAGE, "claude-opus-4-8")
    packed = []
    for said in events:
        data = said.partition(b"data: ")[2].strip()
        if b'"ping"' not in data:
            packed.append(aws_event("chunk", {"bytes": base64.b64encode(data).decode(), "p": "abcdefg"}))
    return [AWS_HEAD, *map(chunk, packed), END]
