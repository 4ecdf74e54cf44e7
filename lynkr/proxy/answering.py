"""Answers that no model has to give again: looked up before a lane is asked, kept once one has answered.

Off unless the profile says so. The same question at the same moment is asked once: who comes second waits for the
first's answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio

from lynkr.answer import Answer, Refused, gather, spread
from lynkr.answers.alike import normal_form
from lynkr.answers.given import Given, restored, stored
from lynkr.answers.question import exact_key
from lynkr.answers.settings import Mode
from lynkr.answers.shelf import Shelf
from lynkr.changes import Changes
from lynkr.conversation import Conversation, Home, Text
from lynkr.document import MalformedDocument
from lynkr.errors import ClientError
from lynkr.events import MalformedStream
from lynkr.formats import CODECS, Codec
from lynkr.formats.watch import parsed
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.coding import Unreadable
from lynkr.proxy.outbound import Inbound
from lynkr.secrets import Key
from lynkr.target import Label
from lynkr.upstream.auth import Headers
from lynkr.upstream.clouds import Login
from lynkr.usage import Usage

# A longer answer is not kept.
LARGEST = 2 * 1024 * 1024
# What makes an answer more than its text, or the question more than its body.
_MORE = frozenset((
    "safeguards", "n", "logprobs", "top_logprobs", "modalities", "audio", "background", "previous_response_id",
    "conversation", "prediction", "web_search_options", "cachedContent",
))  # fmt: skip
# Whoever waits for another's answer to the same question waits no longer than this.
_PATIENCE_S = 120.0
_STREAM = [(b"Content-Type", b"text/event-stream; charset=utf-8"), (b"Cache-Control", b"no-cache")]
_WHOLE = [(b"Content-Type", b"application/json")]


class Question(NamedTuple):
    """A request by its names: exactly as it stands, and, for a single question, in its normal form."""

    exact: str
    alike: str | None
    streamed: bool


@dataclass(slots=True)
class Answering:
    """One session's. `whose` names the profile; `now` gives seconds since the epoch."""

    mode: Mode
    shelf: Shelf
    whose: str
    now: Callable[[], float]
    _flying: dict[str, anyio.Event] = field(default_factory=dict)

    def question(self, inbound: Inbound, lane: Lane, held: Key | Login | None) -> Question | None:
        """The names of what `inbound` asks of `lane`; None for what is not to be answered from here."""
        match, named = inbound.match, inbound.named
        if self.mode == "off" or match is None or not match.metered or not isinstance(held, Key | None):
            return None  # a login stands for whoever is logged in, and does not say who that is
        try:
            document = inbound.read()
            body = document.value
            if not isinstance(body, dict) or any(body.get(name) for name in _MORE):
                return None
            conversation = CODECS[match.format].read_request(body)
        except (Unreadable, MalformedDocument, ClientError):
            return None
        said = (
            held.reveal()
            if held
            else "|".join(named.get(n, "") for n in ("authorization", "x-api-key", "x-goog-api-key"))
        )
        credential = (
            hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest() if lane.auth is not Auth.NONE else ""
        )
        whose = (
            self.whose,
            lane.name,
            lane.provider,
            str(lane.base_url),
            str(lane.model),
            match.model or "",
            credential,
        )
        streamed = conversation.stream or inbound.request.path.endswith(":streamGenerateContent")
        if streamed and match.format is Format.GEMINI and "alt=sse" not in inbound.request.target:
            return None
        exact = exact_key(body, match.format, whose, named)
        alike = None
        if self.mode == "semantic" and (form := _single(conversation)):
            # All but the question itself has to be the same: what would be asked with its normal form in its place.
            rest = {name: value for name, value in body.items() if name != CODECS[match.format].TALK}
            system = [part.text for part in conversation.system]  # which some formats have among the messages
            alike = exact_key({**rest, "lynkr": [system, form]}, match.format, (*whose, "alike"), named)
        return Question(exact, alike, streamed)

    def find(self, question: Question) -> tuple[str, Given] | None:
        """The answer to a question, and how it was found: `exact` or `semantic`."""
        for how, key in (("exact", question.exact), ("semantic", question.alike)):
            value = self.shelf.get(key) if key else None
            if value is not None:
                try:
                    return how, restored(value)
                except (KeyError, TypeError, ValueError):
                    continue
        return None

    async def waited(self, question: Question) -> bool:
        """Waits for whoever asks the same right now; whether there was somebody."""
        flying = self._flying.get(question.exact)
        if flying is None:
            return False
        with anyio.move_on_after(_PATIENCE_S):
            await flying.wait()
        return True

    @contextmanager
    def asking(self, question: Question) -> Iterator[None]:
        """While a question is being asked."""
        if question.exact in self._flying:
            yield  # it took too long for whoever waited
            return
        done = self._flying[question.exact] = anyio.Event()
        try:
            yield
        finally:
            del self._flying[question.exact]
            done.set()

    def keep(
        self, question: Question, codec: Codec, said: bytes, row: str, lane: str, model: str, usage: Usage
    ) -> None:
        """Keeps an answer that the client got, as the bytes `said`."""
        answer = _read(codec, said, streamed=question.streamed)
        if answer is None:
            return
        value = stored(Given(answer, row, self.now(), lane, model, usage))
        if value is not None:
            self.shelf.put(question.exact, value)
            if question.alike:
                self.shelf.put(question.alike, value)


def written(codec: Codec, answer: Answer, label: Label, *, streamed: bool) -> tuple[Headers, bytes]:
    """An answer in the client's own format: headers and body."""
    changes = Changes()
    if not streamed:
        return list(_WHOLE), codec.write_answer(answer, label, changes)
    writer = codec.AnswerWriter(label, changes)
    return list(_STREAM), b"".join(map(writer.event, spread(answer)))


def _read(codec: Codec, said: bytes, *, streamed: bool) -> Answer | None:
    """The answer that a client got; None where it was more than can be given again."""
    label, changes = Label(Home("", ""), "", ""), Changes()
    try:
        if streamed:
            framing, reader = codec.Framing(), codec.AnswerReader(label, changes)
            frames = [*framing.feed(said), *framing.rest()]
            events = [event for frame in frames for event in reader.frame(frame)]
            answer = gather([*events, *reader.end()])
        else:
            answer = codec.read_answer(parsed(said), label, changes)
    except (MalformedStream, Refused, AssertionError, KeyError):
        return None
    return None if changes.listed() else answer


def _single(conversation: Conversation) -> str | None:
    """The normal form of a single question: no tools, nothing before it, nothing but text."""
    users = [turn for turn in conversation.turns if turn.role == "user"]
    if conversation.tools or len(users) != 1 or any(turn.role == "assistant" for turn in conversation.turns):
        return None
    others: list[Any] = [turn for turn in conversation.turns if turn.role != "user"]
    parts = users[0].parts
    if others or len(parts) != 1 or not isinstance(parts[0], Text):
        return None
    return normal_form(parts[0].text)
