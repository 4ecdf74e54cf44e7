"""A canned model: `python -m lynkr.demo.model`. A real HTTP server on loopback that streams real Anthropic SSE.

It understands nothing. It looks at how many tool results the conversation holds and says the next line of its script,
which was written for the demo's project. Its token figures are counted, not invented: four characters are a token, and
what the last request began with is a cache read, as it would be at a provider that caches prefixes.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHARS_PER_TOKEN = 4
# Shorter prefixes are not cached at Anthropic either (512 tokens for the model that is asked for).
LEAST_CACHED = 512
_PAUSE_S = 0.012

Step = tuple[str, list[tuple[str, dict[str, str]]]]
_BROKEN, _MENDED = "(100 + discount)", "(100 - discount)"
# By the number of tool results so far.
SCRIPT: dict[int, Step] = {
    0: ("I run the tests first, to see what fails.", [("run_tests", {})]),
    1: (
        "One test fails: a discount makes the cart dearer. I read the code and the test.",
        [("read_file", {"path": "cart.py"}), ("read_file", {"path": "test_cart.py"})],
    ),
    3: (
        "The discount is added where it has to be taken off. I change that one sign.",
        [("edit_file", {"path": "cart.py", "old": _BROKEN, "new": _MENDED})],
    ),
    4: ("Now I run the tests again.", [("run_tests", {})]),
    5: ("Both tests pass. The discount in cart.py was added to the price; it is subtracted now.", []),
}
_LOST: Step = ("That is not in my script: I am canned and cannot go on from here.", [])


class Model(BaseHTTPRequestHandler):
    """Answers POST /v1/messages; everything else is not found."""

    protocol_version = "HTTP/1.1"
    last_prompt = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.partition("?")[0] != "/v1/messages":
            self.send_error(404)
            return
        request = json.loads(body)
        text, calls = _next(request["messages"])
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self._message(request["model"], self._usage(request), text, calls)
        self.wfile.write(b"0\r\n\r\n")

    def _usage(self, request: dict[str, Any]) -> dict[str, int]:
        prompt = json.dumps([request.get("tools"), request.get("system"), *request["messages"]])
        before, Model.last_prompt = Model.last_prompt, prompt
        shared = next((at for at, (a, b) in enumerate(zip(prompt, before, strict=False)) if a != b), len(before))
        tokens, read = len(prompt) // CHARS_PER_TOKEN, shared // CHARS_PER_TOKEN
        read = read if read >= LEAST_CACHED else 0
        written = tokens - read if tokens >= LEAST_CACHED else 0
        return {
            "input_tokens": tokens - read - written,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "output_tokens": 1,
        }

    def _message(self, model: str, usage: dict[str, int], text: str, calls: list[tuple[str, dict[str, str]]]) -> None:
        message = {
            "id": f"msg_{time.time_ns()}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": list[object](),
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        self._event("message_start", message=message)
        self._block(0, {"type": "text", "text": ""}, "text_delta", "text", text.replace(" ", " \n").split("\n"))
        for at, (name, given) in enumerate(calls, 1):
            block = {"type": "tool_use", "id": f"toolu_{time.time_ns()}", "name": name, "input": {}}
            arguments = json.dumps(given)
            self._block(at, block, "input_json_delta", "partial_json", [arguments[:9], arguments[9:]])
        said = len(text) + sum(len(json.dumps(given)) + len(name) for name, given in calls)
        delta = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
        self._event("message_delta", delta=delta, usage={"output_tokens": max(1, said // CHARS_PER_TOKEN)})
        self._event("message_stop")

    def _block(self, index: int, block: dict[str, Any], kind: str, key: str, pieces: list[str]) -> None:
        self._event("content_block_start", index=index, content_block=block)
        for piece in pieces:
            self._event("content_block_delta", index=index, delta={"type": kind, key: piece})
            time.sleep(_PAUSE_S)
        self._event("content_block_stop", index=index)

    def _event(self, kind: str, **rest: object) -> None:
        data = f"event: {kind}\ndata: {json.dumps({'type': kind, **rest})}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_arguments: object) -> None:
        return


def _next(messages: list[dict[str, Any]]) -> Step:
    """The script's next line; where its last step did not come out as written, that is said instead."""
    blocks = [block for message in messages if isinstance(message["content"], list) for block in message["content"]]
    results = [block for block in blocks if block.get("type") == "tool_result"]
    # The first run of the tests fails, as it should; nothing else may.
    if any(result.get("is_error") for result in results[1:]):
        return _LOST
    return SCRIPT.get(len(results), _LOST)


def main() -> None:
    """Serves until it is ended; its first line says where."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    print(f"listening {server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
