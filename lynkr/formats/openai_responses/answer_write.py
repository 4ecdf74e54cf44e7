"""A Responses answer, written: streamed with every event that a live screen wants, or whole.

Codex takes items from `response.output_item.done`; SDKs take the whole from `response.completed`. Both repeat what was
streamed, so an answer is held in memory until it is over: the format demands it. Reasoning that was made elsewhere
travels in `encrypted_content`, in lynkr's own envelope.
"""

from __future__ import annotations

import json
from typing import Any

from lynkr.answer import Answer, spread
from lynkr.changes import Changes
from lynkr.conversation import SUMMARY, Call, Opaque, Seal, Text, Thinking, wrap
from lynkr.events import Close, Delta, End, Event, Failed, Open, Passed, Ping, Start, Stop
from lynkr.formats.openai import failure_code
from lynkr.formats.values import dump, parsed_object
from lynkr.framing import sse
from lynkr.target import Label
from lynkr.usage import Usage

PING = b": ping\n\n"
_INCOMPLETE = {
    Stop.LENGTH: "max_output_tokens",
    Stop.CONTEXT: "max_output_tokens",
    Stop.REFUSED: "content_filter",
}


class AnswerWriter:
    """Writes one streamed answer."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._label, self._changes = label, changes
        self._response = _response(label, label.id, label.model)
        self.output: list[dict[str, Any]] = []
        self._number = -1
        self._part: Text | Thinking | Call | Opaque | None = None
        self._item: dict[str, Any] | None = None
        self._said: list[str] = []

    def event(self, event: Event) -> bytes:
        """The bytes that say `event`."""
        match event:
            case Delta():
                return self._delta(event.text)
            case Open():
                return self._open(event.part)
            case Close():
                return self._close(event.seal)
            case Start():
                self._response = _response(self._label, event.id or self._label.id, event.model or self._label.model)
                return self._tell("response.created", response=self._response) + self._tell(
                    "response.in_progress", response=self._response
                )
            case End():
                summary = self._summary() if self._label.summary else b""
                response = {**self._response, "output": self.output, **_outcome(event)}
                kind = "response.incomplete" if response["status"] == "incomplete" else "response.completed"
                return summary + self._tell(kind, response=response)
            case Failed():
                error = {"code": failure_code(event.refusal), "message": event.refusal.message}
                response = {**self._response, "status": "failed", "error": error, "output": self.output}
                return self._tell("response.failed", response=response)
            case Ping():
                return PING
            case Passed():
                return event.data

    def _open(self, part: Text | Thinking | Call | Opaque) -> bytes:
        self._part = part
        if self._label.summary:
            return b""
        self._item, self._said = None, []
        if isinstance(part, Call):
            return self._sealed(part) + self._begin(_call_item(part, self._name("fc"), "", "in_progress"))
        if isinstance(part, Opaque):
            if not part.text:
                self._changes.drop(part.what, "the Responses API has no such content")
                return b""
            self._changes.change(part.what, "as text")
            self._part = Text("")
            return self._delta(part.text)
        return b""

    def _sealed(self, call: Call) -> bytes:
        """The reasoning item that carries the seal of the call after it."""
        if call.seal is None:
            return b""
        held = wrap(call.seal, self._label.home, of_call=True)
        item = {"type": "reasoning", "id": self._name("rs"), "summary": [], "encrypted_content": held}
        return self._begin({**item, "encrypted_content": None}) + self._done(item)

    def _delta(self, said: str) -> bytes:
        if self._label.summary and not isinstance(self._part, Text):
            return b""
        begun = b"" if self._item is not None else self._begin_words()
        self._said.append(said)
        if self._label.summary:
            return begun
        assert self._item is not None
        place: dict[str, Any] = {"item_id": self._item["id"], "output_index": len(self.output)}
        match self._part:
            case Text():
                return begun + self._tell(
                    "response.output_text.delta", **place, content_index=0, delta=said, logprobs=[]
                )
            case Thinking():
                return begun + self._tell("response.reasoning_summary_text.delta", **place, summary_index=0, delta=said)
            case Call(kind="custom"):
                return self._tell("response.custom_tool_call_input.delta", **place, delta=said)
            case Call(kind="function"):
                return self._tell("response.function_call_arguments.delta", **place, delta=said)
        return b""

    def _begin_words(self) -> bytes:
        if self._label.summary:
            return self._begin({"type": "compaction", "id": self._name("cmp"), "encrypted_content": ""})
        if isinstance(self._part, Text):
            begun = self._begin(_message(self._name("msg"), [], "in_progress"))
            return begun + self._place("response.content_part.added", content_index=0, part=_text_part(""))
        begun = self._begin({"type": "reasoning", "id": self._name("rs"), "summary": []})
        part = {"type": "summary_text", "text": ""}
        return begun + self._place("response.reasoning_summary_part.added", summary_index=0, part=part)

    def _close(self, seal: Seal | None) -> bytes:
        part, said = self._part, "".join(self._said)
        self._part = None
        if self._label.summary:
            return b""
        self._said = []
        match part:
            case Text() if self._item is not None:
                done = self._place("response.output_text.done", content_index=0, text=said, logprobs=[])
                done += self._place("response.content_part.done", content_index=0, part=_text_part(said))
                return done + self._done(_message(self._item["id"], [_text_part(said)], "completed"))
            case Thinking():
                return self._close_thinking(said, seal)
            case Call():
                assert self._item is not None
                return self._close_call(part, said, self._item["id"])
        return b""

    def _close_thinking(self, said: str, seal: Seal | None) -> bytes:
        done = b""
        if self._item is None:
            if seal is None:
                return b""
            item = _reasoning(self._name("rs"), "", seal, self._label)
            done = self._begin({**item, "encrypted_content": None})
        if said:
            done += self._place("response.reasoning_summary_text.done", summary_index=0, text=said)
            part = {"type": "summary_text", "text": said}
            done += self._place("response.reasoning_summary_part.done", summary_index=0, part=part)
        assert self._item is not None
        return done + self._done(_reasoning(self._item["id"], said, seal, self._label))

    def _close_call(self, call: Call, said: str, name: str) -> bytes:
        done = b""
        if call.kind == "function":
            done = self._place("response.function_call_arguments.done", name=call.name, arguments=said)
        elif call.kind == "custom":
            done = self._place("response.custom_tool_call_input.done", input=said)
        return done + self._done(_call_item(call, name, said, "completed"))

    def _summary(self) -> bytes:
        """The one item that stands for the whole conversation from here on."""
        begun = b"" if self._item is not None else self._begin_words()
        assert self._item is not None
        held = wrap(Seal(SUMMARY, "".join(self._said)), self._label.home)
        return begun + self._done({**self._item, "encrypted_content": held})

    def _begin(self, item: dict[str, Any]) -> bytes:
        self._item = item
        return self._tell("response.output_item.added", output_index=len(self.output), item=item)

    def _done(self, item: dict[str, Any]) -> bytes:
        done = self._tell("response.output_item.done", output_index=len(self.output), item=item)
        self.output.append(item)
        self._item = None
        return done

    def _place(self, kind: str, **members: Any) -> bytes:
        """An event about the open item."""
        assert self._item is not None
        return self._tell(kind, item_id=self._item["id"], output_index=len(self.output), **members)

    def _name(self, prefix: str) -> str:
        return f"{prefix}_{self._label.id}_{len(self.output)}"

    def _tell(self, kind: str, **members: Any) -> bytes:
        self._number += 1
        return sse.write(kind, dump({"type": kind, "sequence_number": self._number, **members}))


def write_answer(answer: Answer, label: Label, changes: Changes) -> bytes:
    """The body of a whole answer: what a stream of it would end in."""
    writer = AnswerWriter(label, changes)
    for event in spread(answer):
        if not isinstance(event, Start):
            writer.event(event)
    response = _response(label, answer.id or label.id, answer.model or label.model)
    return dump({**response, "output": writer.output, **_outcome(answer.end)})


def _response(label: Label, name: str, model: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "response",
        "created_at": label.at,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "metadata": {},
        "usage": None,
    }


def _outcome(end: End) -> dict[str, Any]:
    reason = _INCOMPLETE.get(end.stop)
    said = {"status": "incomplete", "incomplete_details": {"reason": reason}} if reason else {"status": "completed"}
    return {**said, "usage": figures(end.usage or Usage())}


def _message(name: str, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
    return {"type": "message", "id": name, "status": status, "role": "assistant", "content": content}


def _text_part(said: str) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": []}


def _reasoning(name: str, said: str, seal: Seal | None, label: Label) -> dict[str, Any]:
    if seal is not None and seal.kind == "openai.reasoning":
        return {"type": "reasoning", **json.loads(seal.data)}
    summary = [{"type": "summary_text", "text": said}] if said else []
    held = wrap(seal or Seal("plain", ""), label.home)
    return {"type": "reasoning", "id": name, "summary": summary, "encrypted_content": held}


def _call_item(call: Call, name: str, said: str, status: str) -> dict[str, Any]:
    namespace = {"namespace": call.namespace} if call.namespace else {}
    if call.kind == "custom":
        return {"type": "custom_tool_call", "id": name, "status": status, "call_id": call.id, "name": call.name,
                **namespace, "input": said}  # fmt: skip
    if call.kind == "search":
        return {"type": "tool_search_call", "id": name, "status": status, "call_id": call.id, "execution": "client",
                "arguments": parsed_object(said) or {}}  # fmt: skip
    return {"type": "function_call", "id": name, "status": status, "call_id": call.id, "name": call.name, **namespace,
            "arguments": said}  # fmt: skip


def figures(usage: Usage) -> dict[str, Any]:
    """The `usage` object; what was cached is part of the input."""
    written = usage.cache_write + usage.cache_write_1h
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.output,
    }
