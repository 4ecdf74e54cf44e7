"""The answer's way back where the lane has another format: read, restored, written in the client's own.

Nothing reaches the client before the answer has said something, so that an error can still have its status; only when
that takes long does the stream begin with a sign of life. While the lane is silent the client hears pings: Claude Code
gives a stream up that is silent for 300 s.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from lynkr.answer import Refused
from lynkr.changes import Changes
from lynkr.errors import UpstreamError
from lynkr.events import Event, Failed, MalformedStream, Ping
from lynkr.proxy.outbound import Translation
from lynkr.proxy.server import ClientGone, Reply
from lynkr.translate.answer import Interpreter, Told, Unwrapper, refusal, silent, whole
from lynkr.upstream.auth import Headers
from lynkr.upstream.client import Answer
from lynkr.usage import Heard

PING_S = 10.0
# An answer that is not streamed, and an error, are read whole.
LIMIT, ERROR_LIMIT = 64 * 1024 * 1024, 1024 * 1024
_SSE = (b"Content-Type", b"text/event-stream; charset=utf-8")
_JSON = (b"Content-Type", b"application/json")
# How providers call their own name for a request.
_REQUEST_IDS = (b"request-id", b"x-request-id", b"x-amzn-requestid", b"apim-request-id")


class Interpreting:
    """One answer on its way back. `heard` says what it told, also when it broke off."""

    def __init__(self, translation: Translation, changes: Changes, lane: str, ping_s: float = PING_S) -> None:
        self._translation, self._changes, self._lane, self._ping_s = translation, changes, lane, ping_s
        self._told = Told()

    def heard(self) -> Heard:
        """What the answer said so far."""
        return self._told.heard()

    async def run(self, answer: Answer, reply: Reply, added: Headers, first: Callable[[], None]) -> None:
        """Takes `answer` to the client; `added` are headers of ours, `first` is called at the first byte.

        Raises Refused where the lane refuses and the client has heard nothing yet, UpstreamError where it breaks off.
        """
        headers = [*added, *((b"request-id", value) for name, value in answer.headers if name.lower() in _REQUEST_IDS)]
        named = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
        speech = self._translation.speech
        if answer.status >= 300:
            body = await _body(answer, ERROR_LIMIT)
            retry_after = named.get(b"retry-after")
            raise Refused(refusal(body, answer.status, retry_after, speech))
        as_json = named.get(b"content-type", "").partition(";")[0].strip().lower() == "application/json"
        try:
            if as_json or not self._translation.streamed or self._translation.listed:
                await self._whole(answer, reply, headers, first)
            else:
                await self._stream(answer, reply, headers, first)
        except MalformedStream as error:
            raise UpstreamError(
                f"lynkr: lane '{self._lane}' sent what is not {speech.NAME} ({error}); check its `format`",
                kind="upstream_malformed",
            ) from error

    async def _whole(self, answer: Answer, reply: Reply, headers: Headers, first: Callable[[], None]) -> None:
        t = self._translation
        body = await _body(answer, LIMIT)
        first()
        as_stream = t.streamed and not t.listed
        said, self._told = whole(body, t.speech, t.codec, t.label, t.names, self._changes, streamed=as_stream)
        if t.passed and not as_stream:
            said = body
        if as_stream:
            await reply.start(200, [_SSE, *headers])
            await reply.send(said)
            await reply.end()
        else:
            await reply.whole(200, b"[" + said + b"]" if t.listed else said, [_JSON, *headers])

    async def _stream(self, answer: Answer, reply: Reply, headers: Headers, first: Callable[[], None]) -> None:
        t = self._translation
        kind = Unwrapper if t.passed else Interpreter
        interpreter = kind(t.speech, t.codec, t.label, t.names, self._changes)
        self._told = interpreter.told
        teller = _Teller(reply, interpreter, [_SSE, (b"Cache-Control", b"no-cache"), *headers], first)
        problem: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(teller.keep_alive, self._ping_s)
            try:
                async for chunk in answer.chunks():
                    if not await teller.tell(interpreter.feed(chunk)):
                        break
                else:
                    await teller.tell(interpreter.finish())
            except Exception as error:  # noqa: BLE001 - raised below, as itself and not as a group's
                problem = error
            group.cancel_scope.cancel()
        if problem is not None:
            raise problem
        await reply.end()


class _Teller:
    """Tells a client what an answer says, and that it is still there when the answer says nothing."""

    def __init__(self, reply: Reply, interpreter: Interpreter, headers: Headers, first: Callable[[], None]) -> None:
        self._reply, self._interpreter, self._headers, self._first = reply, interpreter, headers, first
        self._held: list[Event] = []
        self._last = anyio.current_time()
        self._busy = False
        self._idle: anyio.Event | None = None

    async def tell(self, events: list[Event]) -> bool:
        """Says `events`; whether there is more to say after them."""
        if not events:
            return True
        if not self._reply.started:
            failed = next((event for event in events if isinstance(event, Failed)), None)
            if failed is not None:
                raise Refused(failed.refusal)
            if silent(events):
                self._held += events
                return True
        *said, last = events
        if isinstance(last, Failed):
            # In a write of its own: Google's clients find an error only so.
            await self._say(said)
            await self._say([last])
            return False
        await self._say(events)
        return True

    async def keep_alive(self, ping_s: float) -> None:
        """Sends a ping whenever nothing was said for `ping_s` seconds."""
        while True:
            rest = self._last + ping_s - anyio.current_time()
            if rest > 0:
                await anyio.sleep(rest)
            else:
                try:
                    await self._say([Ping()])
                except (ClientGone, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return  # whoever reads the answer will notice, too

    async def _say(self, events: list[Event]) -> None:
        while self._busy:
            # There are two who speak: whoever reads the answer, and the pings.
            self._idle = anyio.Event()
            await self._idle.wait()
        held, self._held = self._held, []
        said = self._interpreter.say([*held, *events])
        if not said:
            return
        self._busy = True
        try:
            if not self._reply.started:
                self._first()
                await self._reply.start(200, self._headers)
            await self._reply.send(said)
        finally:
            self._last = anyio.current_time()
            self._busy = False
            if self._idle is not None:
                self._idle.set()
                self._idle = None


async def _body(answer: Answer, limit: int) -> bytes:
    """The whole body, or as much of it as is looked at."""
    parts, size = list[bytes](), 0
    async for chunk in answer.chunks():
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            break
    return b"".join(parts)
