"""An /api/chat answer of Ollama's, read: as lines of JSON, or whole. Calls arrive whole and may have no ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.answer import Answer, gather
from lynkr.changes import Changes
from lynkr.conversation import Call, Seal, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, MalformedStream, Open, Refusal, Start, Stop, Unfinished
from lynkr.formats.refusals import by_words
from lynkr.formats.values import dumps, text
from lynkr.formats.watch import count, member, parsed
from lynkr.framing.frame import Frame
from lynkr.target import Label
from lynkr.usage import Usage


class AnswerReader:
    """Reads one streamed answer, frame by frame. Calls without an id get one after the label's."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._seed = label.id
        self._started = self._over = False
        self._open: Text | Thinking | None = None
        self._calls = 0

    def frame(self, frame: Frame) -> list[Event]:
        """The events that a frame tells. Raises MalformedStream."""
        line = parsed(frame.data)
        if not line:
            raise MalformedStream("a line is not a JSON object")
        return list(self.line(line))

    def end(self) -> list[Event]:
        """What the end of the stream tells. Raises MalformedStream where the answer is not whole."""
        if not self._over:
            raise Unfinished("the stream ended before the answer did")
        return []

    def line(self, line: dict[str, Any]) -> Iterator[Event]:
        """The events that one object tells."""
        if line.get("error"):
            yield Failed(read_refusal(line))
            return
        if not self._started:
            self._started = True
            yield Start("", text(line, "model"))
        message = member(line, "message")
        for kind, said in ((Thinking, text(message, "thinking")), (Text, text(message, "content"))):
            if said:
                if not isinstance(self._open, kind):
                    yield from self._close()
                    self._open = kind("")
                    yield Open(self._open)
                yield Delta(said)
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                yield from self._call(call)
        if line.get("done") is True and not self._over:
            self._over = True
            yield from self._close()
            yield self._ending(line)

    def _call(self, call: dict[str, Any]) -> Iterator[Event]:
        yield from self._close()
        self._calls += 1
        function = member(call, "function")
        yield Open(Call(text(call, "id") or f"call_{self._seed}_{self._calls}", text(function, "name")))
        arguments = function.get("arguments")
        yield Delta(arguments if isinstance(arguments, str) and arguments else dumps(arguments or {}))
        yield Close()

    def _close(self) -> Iterator[Event]:
        part, self._open = self._open, None
        if part is not None:
            yield Close(Seal("chat.reasoning", "") if isinstance(part, Thinking) else None)

    def _ending(self, line: dict[str, Any]) -> End:
        stop = Stop.LENGTH if line.get("done_reason") == "length" else Stop.CALLS if self._calls else Stop.END
        figures = "prompt_eval_count" in line or "eval_count" in line
        usage = Usage(input=count(line, "prompt_eval_count"), output=count(line, "eval_count"))
        return End(stop, usage if figures else None)


def read_answer(body: dict[str, Any], label: Label, changes: Changes) -> Answer:
    """A whole answer. Raises MalformedStream where it is none."""
    reader = AnswerReader(label, changes)
    return gather([*reader.line(body), *reader.end()])


def read_refusal(body: dict[str, Any]) -> Refusal:
    """The refusal in an error's body or line."""
    error = body.get("error")
    message = error if isinstance(error, str) else text(error, "message") if isinstance(error, dict) else dumps(body)
    return by_words(Refusal("server", message))
