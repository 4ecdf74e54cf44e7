"""A scripted upstream: a real HTTP server on loopback that says what it is told to, and remembers what it got.

What it says is bytes, not objects, so that it can refuse, hang, cut and garble as well as answer. A script is a function
from what was asked to a sequence of steps: bytes to send, `Pause`, `Hang`, `Cut`. The helpers below write answers as the
vendors document them (shared wire facts), never as lynkr happens to.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request as it arrived: the exact head and body bytes."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    server_name: str | None = None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True)
class Pause:
    seconds: float


class Hang:
    """Says nothing more until the other side goes away."""


class Cut:
    """Closes the connection in the middle, with a reset."""


Step = bytes | Pause | Hang | Cut
Script = Callable[[Asked], Iterable[Step]]


@dataclass
class Upstream:
    """A running server: `url`, what it was `asked`, and the `script` that it follows (exchangeable)."""

    script: Script
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    closed_early: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def posts(self, path: str = "") -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "POST" and asked.path.endswith(path)]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256


@contextlib.contextmanager
def upstream(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """Runs a scripted upstream."""
    state = Upstream(script, scheme="https" if tls else "http")

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            state.connections += 1
            with contextlib.suppress(OSError, EOFError, ssl.SSLError):
                if tls is None:
                    serve(self.request, state)
                    return
                with tls.wrap_socket(self.request, server_side=True) as wrapped:
                    serve(wrapped, state)

    with _Server(("127.0.0.1", 0), Connection) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()


def serve(connection: socket.socket, state: Upstream, server_name: str | None = None) -> None:
    """Serves the requests of one connection until it ends."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection.makefile("rb") as reader:
        while asked := _read(reader, server_name):
            state.asked.append(asked)
            for step in state.script(asked):
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                elif isinstance(step, Hang):
                    if not connection.recv(1):
                        state.closed_early += 1
                    return
                elif isinstance(step, Cut):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.close()
                    return
                else:
                    try:
                        connection.sendall(step)
                    except OSError:
                        state.closed_early += 1
                        raise


def _read(reader: Any, server_name: str | None) -> Asked | None:
    first = reader.readline()
    if not first:
        return None
    method, target, _ = first.decode("latin-1").split(" ", 2)
    headers = []
    while (line := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    named = {name.lower(): value for name, value in headers}
    body = b""
    if named.get("transfer-encoding", "").lower() == "chunked":
        while size := int(reader.readline().split(b";")[0], 16):
            body += reader.read(size)
            reader.readline()
        reader.readline()
    elif "content-length" in named:
        body = reader.read(int(named["content-length"]))
    return Asked(method, target, headers, body, server_name)


# --- HTTP ---------------------------------------------------------------------------------------------------------


def head(status: int = 200, *headers: str, reason: str = "Whatever") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def whole(body: bytes | dict[str, Any], status: int = 200, *headers: str, kind: str = "application/json") -> list[Step]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [head(status, f"Content-Type: {kind}", f"Content-Length: {len(data)}", *headers) + data]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM_HEAD = head(200, "Content-Type: text/event-stream; charset=utf-8", "Transfer-Encoding: chunked", "X-Vendor: yes")
END = b"0\r\n\r\n"


def stream(events: Iterable[bytes], pause: float = 0.0) -> list[Step]:
    steps: list[Step] = [STREAM_HEAD]
    for event in events:
        steps.append(chunk(event))
        if pause:
            steps.append(Pause(pause))
    return [*steps, END]


def event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


# --- Anthropic Messages (documented: platform.claude.com, "Streaming Messages") -----------------------------------

ANTHROPIC_USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 4000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 1,
    "service_tier": "standard",
}


def anthropic_events(content: list[dict[str, Any]], stop: str, usage: dict[str, Any], model: str) -> list[bytes]:
    message = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    events = [event("message_start", {"type": "message_start", "message": message})]
    for index, block in enumerate(content):
        empty = {**block, "input": {}} if block["type"] == "tool_use" else {**block, "text": ""}
        delta = (
            {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            if block["type"] == "tool_use"
            else {"type": "text_delta", "text": block["text"]}
        )
        events.append(
            event("content_block_start", {"type": "content_block_start", "index": index, "content_block": empty})
        )
        events.append(event("ping", {"type": "ping"}))
        events.append(event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}))
        events.append(event("content_block_stop", {"type": "content_block_stop", "index": index}))
    last = {
        "type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": None},
        "usage": {"output_tokens": 42},
    }
    return [*events, event("message_delta", last), event("message_stop", {"type": "message_stop"})]


def anthropic(text: str = "All done.", calls: list[dict[str, Any]] | None = None) -> Script:
    """Answers any Messages request with a text and calls, streamed or not as it asks."""

    def script(asked: Asked) -> list[Step]:
        if asked.method == "HEAD":
            return [head(200, "Content-Length: 0")]
        if asked.path.endswith("/count_tokens"):
            return whole({"input_tokens": 77})
        body = asked.json
        content: list[dict[str, Any]] = [{"type": "text", "text": text}, *(calls or [])]
        stop = "tool_use" if calls else "end_turn"
        if body.get("stream"):
            return stream(anthropic_events(content, stop, ANTHROPIC_USAGE, body["model"]))
        message = {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {**ANTHROPIC_USAGE, "output_tokens": 42},
        }
        return whole(message)

    return script


def claude_loop(command: str) -> Script:
    """Claude Code's upstream: calls Bash once, then ends; housekeeping gets a short text."""
    bash = {
        "type": "tool_use",
        "id": "toolu_01",
        "name": "Bash",
        "input": {"command": command, "description": "Run it"},
    }

    def script(asked: Asked) -> Iterable[Step]:
        if asked.method != "POST" or not asked.path.endswith("/v1/messages"):
            return anthropic()(asked)
        body = asked.json
        tools = [tool.get("name") for tool in body.get("tools", [])]
        if "Bash" not in tools:
            return anthropic('{"title": "A listing"}')(asked)
        blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
        if any(block.get("type") == "tool_result" for block in blocks):
            return anthropic("All done.")(asked)
        return anthropic("I look.", [bash])(asked)

    return script


# --- OpenAI Responses, as Codex needs it (measured: wire facts, section 4.2) ---------------------------------------

RESPONSES_USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 640, "cache_write_tokens": 0},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 1050,
}


def responses_events(items: list[dict[str, Any]]) -> list[bytes]:
    created = {"type": "response.created", "response": {"id": "resp_1"}}
    done = [{"type": "response.output_item.done", "output_index": at, "item": item} for at, item in enumerate(items)]
    completed = {"type": "response.completed", "response": {"id": "resp_1", "output": items, "usage": RESPONSES_USAGE}}
    return [event(data["type"], data) for data in (created, *done, completed)]


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "id": "msg_1", "content": [{"type": "output_text", "text": text}]}


def codex_loop(command: str) -> Script:
    """Codex's upstream: runs a command once (in the way of the model that is asked for), then ends."""

    def script(asked: Asked) -> Iterable[Step]:
        if asked.method != "POST" or not asked.path.endswith("/responses"):
            return whole({"models": [], "data": []})
        body = json.loads(unpacked(asked))
        if any(str(item.get("type", "")).endswith("_output") for item in body["input"]):
            return stream(responses_events([said("All done.")]))
        tools = [tool.get("name") for tool in body.get("tools", [])]
        if "exec_command" in tools:
            call = {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "exec_command",
                "arguments": json.dumps({"cmd": command}),
            }
        elif tools or any(item.get("type") == "additional_tools" for item in body["input"]):
            code = f"const r = await tools.exec_command({json.dumps({'cmd': command})}); text(r.output);"
            call = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "exec", "input": code}
        else:
            return stream(responses_events([said('{"title": "A listing"}')]))
        return stream(responses_events([call]))

    return script


def unpacked(asked: Asked) -> bytes:
    """The body without its content coding."""
    coding = asked.header("content-encoding")
    if coding == "gzip":
        return gzip.decompress(asked.body)
    if coding == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(asked.body)
    return asked.body


# --- OpenAI Chat Completions --------------------------------------------------------------------------------------

CHAT_USAGE = {
    "prompt_tokens": 900,
    "completion_tokens": 30,
    "total_tokens": 930,
    "prompt_tokens_details": {"cached_tokens": 512},
    "completion_tokens_details": {"reasoning_tokens": 10},
}


def chat(text: str = "All done.") -> Script:
    """Answers a Chat Completions request; figures in a stream only where they are asked for."""

    def script(asked: Asked) -> list[Step]:
        body = asked.json
        base = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            return whole({**base, "object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE})
        base["object"] = "chat.completion.chunk"
        pieces: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, {"content": text}]
        chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in pieces]
        chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append({**base, "choices": [], "usage": CHAT_USAGE})
        return stream([*(f"data: {json.dumps(c)}\n\n".encode() for c in chunks), b"data: [DONE]\n\n"])

    return script
