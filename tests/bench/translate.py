"""What translating costs, without a network: CPU time for each event of a stream and for a large request, every pair.

    python tests/bench/translate.py [--events N]

Events: a stream of N deltas as the lane's own provider sends it, in one piece a read, to the bytes for the client.
Request: 300 kB of a coding session as the client sends it, from its bytes to the lane's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from loops import aws_event
from scripts import ANTHROPIC_USAGE, anthropic_events, event

from lynkr.changes import Changes
from lynkr.conversation import Home
from lynkr.document import Document
from lynkr.formats import CODECS, SPEECHES
from lynkr.formats.values import dump
from lynkr.lane import Auth, Format, Lane
from lynkr.target import Label, Target
from lynkr.translate.answer import Interpreter
from lynkr.translate.request import write
from lynkr.translate.tools import Names
from lynkr.upstream.capabilities import capabilities
from lynkr.upstream.fit import fit

WORD = " a word or two"
MODELS = {
    Format.ANTHROPIC: "claude-sonnet-5",
    Format.OPENAI_CHAT: "gpt-4.1",
    Format.OPENAI_RESPONSES: "gpt-5.5",
    Format.GEMINI: "gemini-3-pro",
    Format.OLLAMA: "qwen3:8b",
    Format.BEDROCK_CONVERSE: "amazon.nova-pro-v1:0",
}


def streams(count: int) -> dict[Format, list[bytes]]:
    """A stream of `count` pieces of text in each lane format, an event a read."""
    text = {"type": "text", "text": "x"}
    first, begin, _, _, stop, *last = anthropic_events([text], "end_turn", ANTHROPIC_USAGE, "claude-sonnet-5")
    piece = event("content_block_delta", {"type": "content_block_delta", "index": 0,
                                          "delta": {"type": "text_delta", "text": WORD}})  # fmt: skip
    chat = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    said = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": WORD, "sequence_number": 9}
    tail = {"modelVersion": "gemini", "responseId": "r", "usageMetadata": {"promptTokenCount": 9}}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return sse({**chat, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def gemini(finish: dict[str, str]) -> bytes:
        content = {"parts": [{"text": WORD}], "role": "model"}
        return sse({"candidates": [{"content": content, "index": 0, **finish}], **tail})

    def line(done: dict[str, Any]) -> bytes:
        return json.dumps({"model": "m", "message": {"role": "assistant", "content": WORD}, **done}).encode() + b"\n"

    done = {"id": "r", "status": "completed", "output": [], "usage": {"input_tokens": 1, "output_tokens": 1}}
    return {
        Format.ANTHROPIC: [first, begin, *[piece] * count, stop, *last],
        Format.OPENAI_CHAT: [*[chunk({"content": WORD})] * count, chunk({}, "stop"), b"data: [DONE]\n\n"],
        Format.OPENAI_RESPONSES: [
            event("response.created", {"type": "response.created", "response": {"id": "r", "model": "m"}}),
            *[event("response.output_text.delta", {"type": "response.output_text.delta", **said})] * count,
            event("response.completed", {"type": "response.completed", "response": done}),
        ],
        Format.GEMINI: [*[gemini({})] * count, gemini({"finishReason": "STOP"})],
        Format.OLLAMA: [*[line({"done": False})] * count, line({"done": True, "done_reason": "stop"})],
        Format.BEDROCK_CONVERSE: [
            aws_event("messageStart", {"role": "assistant"}),
            *[aws_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": WORD}})] * count,
            aws_event("contentBlockStop", {"contentBlockIndex": 0}),
            aws_event("messageStop", {"stopReason": "end_turn"}),
        ],
    }


def sse(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def session(turns: int = 110) -> dict[str, Any]:
    """A coding session as a client of Anthropic's sends it: about 300 kB, most of it results of tools."""
    tools = [{"name": f"tool_{n}", "description": "Does one thing. " * 40, "input_schema": {
        "type": "object", "properties": {"path": {"type": "string"}, "count": {"type": "integer"}}}} for n in range(20)]  # fmt: skip
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Mend the parser, please."}]
    for n in range(turns):
        call = {"type": "tool_use", "id": f"toolu_{n}", "name": "tool_1", "input": {"path": f"src/file_{n}.py"}}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": "I look."}, call]})
        lines = "\n".join(f"{k:5d}\t    value = compute(argument_{k}, other={k})" for k in range(45))
        messages.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": lines}]}
        )
    return {"model": "claude-opus-5-5", "max_tokens": 32000, "stream": True, "thinking": {"type": "adaptive"},
            "system": [{"type": "text", "text": "You mend code. " * 400}], "tools": tools, "messages": messages}  # fmt: skip


def clients() -> dict[Format, bytes]:
    """The same session in the words of each client format."""
    conversation = CODECS[Format.ANTHROPIC].read_request(session())
    found = {}
    for spoken, codec in CODECS.items():
        target = Target(Home("lane", MODELS[spoken]), capabilities(lane(spoken), spoken, MODELS[spoken]))
        found[spoken] = dump(codec.write_request(conversation, target, Changes()))
    return found


def lane(spoken: Format) -> Lane:
    return Lane("lane", "custom", (spoken,), Auth.KEY, model=MODELS[spoken])


def timed(work: Callable[[], object], rounds: int) -> float:
    """CPU milliseconds of the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best * 1000


def translate_stream(spoken: Format, client: Format, pieces: list[bytes]) -> int:
    label = Label(Home("lane", "m"), "asked", "01J")
    interpreter = Interpreter(SPEECHES[spoken], CODECS[client], label, Names(), Changes())
    size = 0
    for piece in pieces:
        size += len(interpreter.say(interpreter.feed(piece)))
    return size + len(interpreter.say(interpreter.finish()))


def translate_request(client: Format, spoken: Format, body: bytes) -> bytes:
    target = Target(Home("lane", MODELS[spoken]), capabilities(lane(spoken), spoken, MODELS[spoken]))
    conversation = CODECS[client].read_request(Document.read(body).value)
    return write(conversation, SPEECHES[spoken], target, fit, Changes()).body


def pairs() -> Iterator[tuple[Format, Format]]:
    yield from ((client, spoken) for client in CODECS for spoken in MODELS if client is not spoken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2000)
    count = parser.parse_args().events
    said, bodies = streams(count), clients()
    kilobytes = ", ".join(f"{client} {len(body) // 1000}" for client, body in bodies.items())
    print(f"{count} events a stream; requests in kB: {kilobytes}\n")
    print(f"{'client':18}{'lane':20}{'µs an event':>12}{'ms a request':>14}{'kB held':>10}")
    for client, spoken in pairs():
        each = timed(lambda: translate_stream(spoken, client, said[spoken]), 5) * 1000 / count  # noqa: B023
        request = timed(lambda: translate_request(client, spoken, bodies[client]), 5)  # noqa: B023
        print(f"{client:18}{spoken:20}{each:12.1f}{request:14.1f}{held(client, spoken, said[spoken]):10.0f}")


def held(client: Format, spoken: Format, pieces: list[bytes]) -> float:
    """Kilobytes that a stream has grown the memory by, at its end."""
    label = Label(Home("lane", "m"), "asked", "01J")
    interpreter = Interpreter(SPEECHES[spoken], CODECS[client], label, Names(), Changes())
    tracemalloc.start()
    for piece in pieces[:-1]:
        interpreter.say(interpreter.feed(piece))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / 1000


if __name__ == "__main__":
    main()
