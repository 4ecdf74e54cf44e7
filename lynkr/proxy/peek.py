"""Looks at the beginning of an answer while another lane could still step in: an error may come in its first event."""

from __future__ import annotations

import anyio

from lynkr.changes import Changes
from lynkr.conversation import Home
from lynkr.errors import UpstreamError
from lynkr.events import Event, Failed, MalformedStream, Ping, Refusal
from lynkr.formats import Codec
from lynkr.lane import Format, Lane
from lynkr.target import Label
from lynkr.translate.answer import silent
from lynkr.upstream.client import Answer

# More than this is no first event.
_MOST = 256 * 1024


async def begun(answer: Answer, lane: Lane, wait_s: float) -> Answer:
    """`answer` with the first bytes of its body there. Raises UpstreamError where they do not come in time."""
    first = b""
    with anyio.move_on_after(wait_s) as waited:
        first = await answer.next()
    if waited.cancelled_caught:
        raise late(lane, wait_s)
    if not first:
        sentence = f"lynkr: lane '{lane.name}': its answer has nothing in it; try again"
        raise UpstreamError(sentence, kind="upstream_no_answer", retry=True)
    answer.ahead.append(first)
    return answer


def late(lane: Lane, wait_s: float) -> UpstreamError:
    """What is said of a lane that has not begun to answer."""
    limit = "wait_s in [route]" if lane.timeout_s is None else "its timeout_s"
    sentence = f"lynkr: lane '{lane.name}': no answer within {wait_s:g} s; raise {limit} if it needs longer"
    return UpstreamError(sentence, status=504, kind="upstream_timeout", retry=False)


async def first_event(answer: Answer, codec: Codec, wait_s: float) -> tuple[Answer, Refusal | None]:
    """`answer`, unread, and what it refuses with in its first event or instead of one.

    Signs of life are no event: after `wait_s` of them the client gets them. Raises UpstreamError where it is silent for
    so long, or something else than an answer of `codec`'s format.
    """
    kind = answer.named.get(b"content-type", b"")
    kind = kind.partition(b";")[0].strip().lower()
    if kind not in (b"text/event-stream", b"application/json", b""):
        said = kind.decode("latin-1")
        raise UpstreamError(f"lynkr: lane '{answer.lane.name}' answered with {said}, which is no answer of a model",
                            kind="upstream_malformed")  # fmt: skip
    if kind != b"text/event-stream":
        return answer, None
    framing, reader = codec.Framing(), codec.AnswerReader(Label(Home("", ""), "", ""), Changes())
    held = list[bytes]()
    refusal: Refusal | None = None
    events = list[Event]()
    began = anyio.current_time()
    while _open(events, codec) and sum(map(len, held)) < _MOST and anyio.current_time() - began < wait_s:
        chunk = b""
        with anyio.move_on_after(wait_s) as waited:
            chunk = await answer.next()
        if waited.cancelled_caught:
            raise late(answer.lane, wait_s)
        if not chunk:
            break
        held.append(chunk)
        try:
            events += [event for frame in framing.feed(chunk) for event in reader.frame(frame)]
        except MalformedStream:
            break  # the client is to judge
        refusal = next((event.refusal for event in events if isinstance(event, Failed)), None)
    answer.ahead.extend(held)
    return answer, refusal


def _open(events: list[Event], codec: Codec) -> bool:
    """Whether what was heard so far is not yet an answer that has begun. OpenAI's Responses tell of a failure only
    after saying that they begin; both come in one go. Of the others, the first event is one or the other."""
    if codec.NAME is Format.OPENAI_RESPONSES:
        return silent(events)
    return all(isinstance(event, Ping) for event in events)
