"""The answer's way back where the lane has another format: read, restored, written in the client's own.

Nothing reaches the client before the answer has said something, so that an error can still have its status; only when
that takes long does the stream begin with a sign of life. While the lane is silent the client hears pings: Claude Code
gives a stream up that is silent for 300 s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import anyio

from lynkr.answer import Refused
from lynkr.changes import Changes
from lynkr.errors import UpstreamError
from lynkr.events import Event, Failed, MalformedStream, Ping, Refusal, Unfinished
from lynkr.formats import Speech
from lynkr.framing.http1 import Headers
from lynkr.proxy.message import ClientGone, Reply
from lynkr.proxy.outbound import Translation
from lynkr.translate.answer import Interpreter, Told, Unwrapper, refusal, silent, whole
from lynkr.upstream.client import Answer
from lynkr.usage import Heard

# Opens the lane. Raises UpstreamError.
Opening = Callable[[], Awaitable[Answer]]

PING_S = 10.0
# How long the rest of an answer is read that has said its last word.
_DRAIN_S = 0.5
# An error says what it has to say at once; some servers leave the connection open behind it.
ERROR_S = 5.0
# An answer that is not streamed, and an error, are read whole.
LIMIT, ERROR_LIMIT = 64 * 1024 * 1024, 1024 * 1024
_SSE = (b"Content-Type", b"text/event-stream; charset=utf-8")
_JSON = (b"Content-Type", b"application/json")
# How providers call their own name for a request.
_REQUEST_IDS = (b"request-id", b"x-request-id", b"x-amzn-requestid", b"apim-request-id")


class Interpreting:
    """One answer on its way back. `heard` says what it told, also when it broke off."""

    def __init__(
        self,
        translation: Translation,
        changes: Changes,
        lane: str,
        ping_s: float = PING_S,
        clean: Callable[[Refusal], Refusal] = lambda refusal: refusal,
        quiet_s: float = 0.0,
    ) -> None:
        """`clean` takes out of a refusal what the client must not see; no sign of life comes in the first `quiet_s`."""
        self._translation, self._changes, self._lane, self._ping_s = translation, changes, lane, ping_s
        self._clean, self._quiet_s = clean, quiet_s
        self._told = Told()
        # What the lane refused with, where the client had got its status already.
        self.refused_late: Refusal | None = None

    def heard(self) -> Heard:
        """What the answer said so far."""
        return self._told.heard()

    async def run(self, opening: Opening, reply: Reply, added: Headers, first: Callable[[], None]) -> None:
        """Opens the lane and takes its answer to the client.

        `added` are headers of ours, `first` is called at the first byte.

        Raises Refused where the lane refuses and the client has heard nothing yet, UpstreamError where it breaks off.
        """
        t = self._translation
        try:
            if t.streamed and not t.listed:
                await self._stream(opening, reply, added, first)
            else:
                async with _opened(opening) as answer:
                    await self._whole(answer, reply, added, first)
        except Unfinished as error:
            sentence = f"lynkr: lane '{self._lane}' stopped in the middle of its answer; try again"
            raise UpstreamError(sentence, kind="upstream_cut", retry=True) from error
        except MalformedStream as error:
            raise UpstreamError(
                f"lynkr: lane '{self._lane}' sent what is not {t.speech.NAME} ({error}); check its `format`",
                kind="upstream_malformed",
            ) from error

    async def _whole(self, answer: Answer, reply: Reply, added: Headers, first: Callable[[], None]) -> None:
        t = self._translation
        body = await self._accepted(answer)
        first()
        said, self._told = whole(body, t.speech, t.codec, t.label, t.names, self._changes, streamed=False)
        said = body if t.passed else b"[" + said + b"]" if t.listed else said
        await reply.whole(200, said, [_JSON, *added, *_named(answer)])

    async def _next(self, chunks: AsyncIterator[bytes], teller: _Teller) -> bytes:
        """The next bytes of a stream, b"" at its end. Raises UpstreamError where it has said nothing for as long as
        another lane may be kept waiting."""
        if not self._quiet_s or teller.started:
            return await anext(chunks, b"")
        with anyio.move_on_after(self._quiet_s):
            return await anext(chunks, b"")
        sentence = f"lynkr: lane '{self._lane}' began to answer and then said nothing for {self._quiet_s:g} s"
        raise UpstreamError(sentence, status=504, kind="upstream_timeout")

    async def _accepted(self, answer: Answer) -> bytes:
        """The whole body of an answer. Raises Refused where it is an error."""
        if answer.status < 300:
            return await whole_body(answer, LIMIT)
        within_s = min(ERROR_S, self._quiet_s or ERROR_S)
        said, _ = await refusal_in(answer, self._translation.speech, within_s)
        raise Refused(said)

    async def _stream(self, opening: Opening, reply: Reply, added: Headers, first: Callable[[], None]) -> None:
        t = self._translation
        kind = Unwrapper if t.passed else Interpreter
        interpreter = kind(t.speech, t.codec, t.label, t.names, self._changes)
        self._told = interpreter.told
        teller = _Teller(reply, interpreter, [_SSE, (b"Cache-Control", b"no-cache"), *added], first, self._clean)
        problem: Exception | None = None
        async with anyio.create_task_group() as group:
            # From now on: a local server reads a long prompt for minutes before it sends so much as a head.
            group.start_soon(teller.keep_alive, self._ping_s, self._quiet_s)
            try:
                async with _opened(opening) as answer:
                    await self._interpreted(answer, interpreter, teller)
            except Exception as error:  # noqa: BLE001 - raised below, as itself and not as a group's
                problem = error
            if not teller.quiet():
                group.cancel_scope.cancel()
        if isinstance(problem, Refused) and reply.started:
            # Only pings were said so far; the status is gone, the words are not.
            self.refused_late = self._clean(problem.refusal)
            await teller.tell([Failed(self.refused_late)])
        elif problem is not None:
            try:
                raise problem
            finally:
                problem = None  # it holds this frame
        await teller.end()

    async def _interpreted(self, answer: Answer, interpreter: Interpreter, teller: _Teller) -> None:
        """Tells what `answer` says, to its own end or the stream's."""
        teller.headers += _named(answer)
        kind = answer.named.get(b"content-type", b"")
        if answer.status >= 300 or kind.partition(b";")[0].strip().lower() == b"application/json":
            t = self._translation
            said, told = whole(
                await self._accepted(answer), t.speech, t.codec, t.label, t.names, self._changes, streamed=True
            )
            self._told = told
            await teller.say(said)
            return
        chunks = answer.chunks()
        try:
            while chunk := await self._next(chunks, teller):
                if not await teller.tell(interpreter.feed(chunk)):
                    await teller.end()
                    if interpreter.told.complete:
                        # Read to the end of its message, the connection can be used again.
                        with anyio.move_on_after(_DRAIN_S), suppress(UpstreamError):
                            async for _ in chunks:
                                pass
                    return
        except UpstreamError as error:
            try:
                last = interpreter.finish()
            except MalformedStream:
                raise error from None
            # Everything was said: how the connection ends does not matter any more.
            await teller.tell(last)
            return
        await teller.tell(interpreter.finish())


async def refusal_in(answer: Answer, speech: Speech, within_s: float = ERROR_S) -> tuple[Refusal, bytes]:
    """What an error answer says, and its whole body, as far as that has come by then."""
    named = {name: value.decode("latin-1") for name, value in answer.named.items()}
    body = await whole_body(answer, ERROR_LIMIT, within_s)
    kind = named.get(b"x-amzn-errortype", "").partition(":")[0]
    return refusal(body, answer.status, _retry_after(named), speech, kind), body


def _retry_after(named: Mapping[bytes, str]) -> str | None:
    """How long to wait, in seconds; Azure and OpenAI may say it in milliseconds alone."""
    if b"retry-after" in named or b"retry-after-ms" not in named:
        return named.get(b"retry-after")
    ms = named[b"retry-after-ms"].strip()
    return f"{-(-int(ms) // 1000)}" if ms.isascii() and ms.isdigit() else None


@asynccontextmanager
async def _opened(opening: Opening) -> AsyncIterator[Answer]:
    answer = await opening()
    try:
        yield answer
    finally:
        await answer.aclose()


def _named(answer: Answer) -> Headers:
    """The provider's name for the request, as our clients know such a header."""
    return [(b"request-id", value) for name, value in answer.headers if name.lower() in _REQUEST_IDS][:1]


class _Teller:
    """Tells a client what an answer says, and that it is still there when the answer says nothing."""

    def __init__(
        self,
        reply: Reply,
        interpreter: Interpreter,
        headers: Headers,
        first: Callable[[], None],
        clean: Callable[[Refusal], Refusal],
    ) -> None:
        self.headers = headers
        self._clean = clean
        self._reply, self._interpreter, self._first = reply, interpreter, first
        self._held: list[Event] = []
        self._last = anyio.current_time()
        self._busy = self._over = self._pinging = False
        self._idle: anyio.Event | None = None
        self._no_pings = anyio.Event()

    @property
    def started(self) -> bool:
        """Whether the client has heard anything."""
        return self._reply.started

    async def tell(self, events: list[Event]) -> bool:
        """Says `events`; whether there is more to say after them. Raises Refused where the first thing is an error."""
        if not events:
            return True
        events = [Failed(self._clean(event.refusal)) if isinstance(event, Failed) else event for event in events]
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
        return not self._interpreter.told.complete

    async def say(self, said: bytes) -> None:
        """Sends bytes that are a whole stream."""
        if await self._free():
            await self._send(said)

    async def end(self) -> None:
        """Ends the answer, once."""
        if await self._free():
            # From here on nothing is said any more: who comes now finds it busy, and over.
            self._over = self._busy = True
            self._reply.end()

    async def keep_alive(self, ping_s: float, quiet_s: float = 0.0) -> None:
        """Sends a ping whenever nothing was said for `ping_s` seconds, but in the first `quiet_s`."""
        self._last += quiet_s
        while not self._no_pings.is_set():
            rest = self._last + ping_s - anyio.current_time()
            if rest > 0:
                with anyio.move_on_after(rest):
                    await self._no_pings.wait()
                continue
            self._pinging = True
            try:
                await self._say([Ping()])
            except (ClientGone, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # whoever reads the answer will notice, too
            finally:
                self._pinging = False

    def quiet(self) -> bool:
        """Ends the pings; whether none is on its way. To be cancelled would leave an error that holds on to all that
        was said, until somebody looks for garbage."""
        self._no_pings.set()
        return not self._pinging

    async def _say(self, events: list[Event]) -> None:
        if await self._free():
            held, self._held = self._held, []
            await self._send(self._interpreter.say([*held, *events]))

    async def _free(self) -> bool:
        """Waits for the other to have spoken (there are two: whoever reads the answer, and the pings); whether anything
        may still be said."""
        while self._busy and not self._over:
            self._idle = anyio.Event()
            await self._idle.wait()
        return not self._over

    async def _send(self, said: bytes) -> None:
        if not said:
            return
        self._busy = True
        try:
            if not self._reply.started:
                self._first()
                self._reply.start(200, self.headers)
            await self._reply.send(said)
        finally:
            self._last = anyio.current_time()
            self._busy = False
            if self._idle is not None:
                self._idle.set()
                self._idle = None


async def whole_body(answer: Answer, limit: int, within_s: float | None = None) -> bytes:
    """The whole body, or as much of it as is looked at: so many bytes, or what has come by then."""
    parts, size = list[bytes](), 0
    with anyio.move_on_after(within_s):
        async for chunk in answer.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                break
    return b"".join(parts)
