"""The benchmark's upstream: as little work as a server can do, in a process of its own. Prints its port.

`GET` and small answers are one write; a body with `"stream"` is answered with 400 events, or with five where `x-few` asks
for that, each a write of its own. It speaks Anthropic Messages, and Chat Completions where it is asked for that, for lanes that are translated.
"""

from __future__ import annotations

import asyncio
import json

EVENTS = 400
_MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": [],
    "stop_reason": "end_turn", "usage": {"input_tokens": 10, "output_tokens": 5},
}  # fmt: skip
_DELTA = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": "some words of an answer "},
}


def _event(kind: str, data: dict[str, object]) -> bytes:
    body = f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(body), body)


WHOLE = json.dumps(_MESSAGE).encode()
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(WHOLE), WHOLE)
START = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
FRAMES = [
    _event("message_start", {"type": "message_start", "message": {**_MESSAGE, "stop_reason": None}}),
    *[_event("content_block_delta", _DELTA)] * (EVENTS - 3),
    _event(
        "message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
    ),
    _event("message_stop", {"type": "message_stop"}),
]


_CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
_USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


def _chunk(delta: dict[str, object], finish: str | None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = f"data: {json.dumps({**_CHUNK, 'choices': [choice], **more})}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(body), body)


CHAT_WHOLE = json.dumps({
    "id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": _USAGE,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
}).encode()  # fmt: skip
CHAT_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(CHAT_WHOLE),
    CHAT_WHOLE,
)
CHAT_FRAMES = [
    *[_chunk({"content": "some words of an answer "}, None)] * (EVENTS - 2),
    _chunk({}, "stop", usage=_USAGE),
    b"e\r\ndata: [DONE]\n\n\r\n",
]


class Server(asyncio.Protocol):
    def __init__(self) -> None:
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end]).lower()
            _, _, rest = head.partition(b"content-length:")
            length = int(rest.split(b"\r\n")[0]) if rest else 0
            if len(self.buffer) < end + 4 + length:
                return
            # Where clients say it, or those who write the body anew.
            last = end + 4 + length
            asked = self.buffer[end : end + 300] + self.buffer[max(end, last - 300) : last]
            streamed = b'"stream": true' in asked or b'"stream":true' in asked
            chat = b"/chat/completions" in head[:100]
            self.frames = CHAT_FRAMES if chat else FRAMES
            if b"x-few: yes" in head:
                self.frames = [*self.frames[:3], *self.frames[-2:]]
            self.pace = 0.002 if b"x-paced: yes" in head else 0.0
            del self.buffer[: end + 4 + length]
            if streamed:
                self._stream(0)
            else:
                self.transport.write(CHAT_WHOLE if chat else WHOLE)

    def _stream(self, at: int) -> None:
        # An event a turn of the loop, so that each is a segment of its own, as a model's tokens are; `x-paced` puts
        # 2 ms between them, which no model is faster than, and leaves both sides idle in between.
        if at == 0:
            self.transport.write(START)
        if at == len(self.frames):
            self.transport.write(b"0\r\n\r\n")
            return
        self.transport.write(self.frames[at])
        asyncio.get_running_loop().call_later(self.pace, self._stream, at + 1)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
