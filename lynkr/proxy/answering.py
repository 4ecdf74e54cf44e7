"""Answers that no model has to give again: looked up before a lane is asked, kept once one has answered.

Off unless the profile says so. The same question at the same moment is asked once: who comes second waits for the
first's answer.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

from lynkr.answer import Answer, Refused, gather, spread
from lynkr.answers.alike import normal_form
from lynkr.answers.past import PastAnswer, restored, stored
from lynkr.answers.question import exact_key, is_plain
from lynkr.answers.settings import Mode
from lynkr.answers.shelf import Shelf
from lynkr.answers.whole import is_whole
from lynkr.changes import Changes
from lynkr.conversation import Conversation, Home, Text
from lynkr.document import MalformedDocument
from lynkr.errors import ClientError
from lynkr.events import MalformedStream
from lynkr.formats import CODECS, Codec
from lynkr.formats.watch import parsed
from lynkr.framing.http1 import Headers
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.coding import Unreadable
from lynkr.proxy.outbound import Inbound
from lynkr.secrets import Key
from lynkr.target import Label
from lynkr.upstream.auth import is_credential
from lynkr.upstream.clouds import Login
from lynkr.usage import Usage

# OpenAI's models say so beside their words, not in them.
_REFUSES = re.compile(rb'"refusal"\s*:\s*"|"type"\s*:\s*"refusal"|"response\.refusal')
# Whoever waits for another's answer to the same question waits no longer than this.
_PATIENCE_S = 120.0
# And no longer than this for the next bytes: it may be a client that reads no more.
_STALL_S = 4.0
# How long a question waits for the file that answers are kept in.
_BUSY_S = 1.0
# What a message is made of that says no more than its text.
_PLAIN = frozenset(("type", "role", "content", "parts"))
_STREAM = [(b"Content-Type", b"text/event-stream; charset=utf-8"), (b"Cache-Control", b"no-cache")]
_WHOLE = [(b"Content-Type", b"application/json")]


class Question(NamedTuple):
    """A request by its names: exactly as it stands, and, for a single question, in its normal form."""

    exact: str
    alike: str | None
    streamed: bool
    wants_usage: bool = True


@dataclass(slots=True)
class _Flight:
    """A question that is being asked: how much of its answer has come, None where it is not kept any more."""

    heard: Callable[[], int | None]
    done: anyio.Event = field(default_factory=anyio.Event)


@dataclass(slots=True)
class Answering:
    """One session's. `whose` names the profile and what it changes of requests; `now` gives seconds since the epoch.

    `origins` is where a lane of the tool's own login leads. An answer is given for `ttl_s` seconds.
    """

    mode: Mode
    shelf: Shelf
    whose: str
    now: Callable[[], float]
    ttl_s: float = math.inf
    origins: Mapping[str, str] = field(default_factory=dict)
    _flying: dict[str, _Flight] = field(default_factory=dict)

    def question(self, inbound: Inbound, lane: Lane, held: Key | Login | None) -> Question | None:
        """The names of what `inbound` asks of `lane`; None for what is not to be answered from here."""
        try:
            return self._question(inbound, lane, held)
        except Exception:  # noqa: BLE001 - whatever it is, a lane can answer it
            return None

    def _question(self, inbound: Inbound, lane: Lane, held: Key | Login | None) -> Question | None:
        match, named = inbound.match, inbound.named
        if self.mode == "off" or match is None or not match.metered or not isinstance(held, Key | None):
            return None  # a login stands for whoever is logged in, and does not say who that is
        try:
            document = inbound.read()
            body = document.value
            if not isinstance(body, dict) or not is_plain(body, match.format):
                return None
            conversation = CODECS[match.format].read_request(body, document.trail)
        except (Unreadable, MalformedDocument, ClientError):
            return None
        # Of the tool's own login everything that could say whose it is: headers, and what stands in the address.
        login = [f"{name}: {named[name]}" for name in sorted(named) if is_credential(name)]
        said = held.reveal() if held else "\0".join(login)
        credential = "" if lane.auth is Auth.NONE else hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
        # All that the profile says of the lane, so that what is edited under an old name is another.
        # How an answer is framed is no part of the question.
        query = inbound.request.target.partition("?")[2].replace("alt=sse", "")
        whose = (self.whose, repr(lane), repr(sorted(self.origins.items())), match.model or "", credential, query)
        streamed = conversation.stream or inbound.request.path.endswith(":streamGenerateContent")
        if streamed and match.format is Format.GEMINI and "alt=sse" not in inbound.request.target:
            return None
        named = {name: value for name, value in named.items() if not is_credential(name)}
        exact = exact_key(body, match.format, whose, named)
        alike = None
        if self.mode == "semantic" and (form := _single(conversation, body.get(CODECS[match.format].TALK))):
            # All but the question itself has to be the same: what would be asked with its normal form in its place.
            rest = {name: value for name, value in body.items() if name != CODECS[match.format].TALK}
            system = [part.text for part in conversation.system]  # which some formats have among the messages
            alike = exact_key(rest, match.format, (*whose, "alike", repr(system), form), named)
        return Question(exact, alike, streamed, conversation.wants_usage)

    async def find(self, question: Question) -> tuple[str, PastAnswer] | None:
        """The answer to a question, and how it was found: `exact` or `semantic`."""
        # In a thread: another session may hold the file for a moment, and others are being served here.
        with anyio.move_on_after(_BUSY_S):
            return await anyio.to_thread.run_sync(self._find, question, abandon_on_cancel=True)
        return None

    def _find(self, question: Question) -> tuple[str, PastAnswer] | None:
        for how, key in (("exact", question.exact), ("semantic", question.alike)):
            value = self.shelf.get(key) if key else None
            if value is not None:
                try:
                    given = restored(value)
                except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
                    continue
                if 0 <= self.now() - given.at < self.ttl_s:
                    return how, given
        return None

    async def waited(self, question: Question) -> bool:
        """Waits for whoever asks the same right now; whether there was somebody who was answered."""
        flight = self._flying.get(question.exact)
        if flight is None:
            return False
        with anyio.move_on_after(_PATIENCE_S):
            had = flight.heard()
            while had is not None:
                with anyio.move_on_after(_STALL_S):
                    await flight.done.wait()
                    return True
                before, had = had, flight.heard()
                if had == before != 0:
                    break
        return False

    @contextmanager
    def asking(self, question: Question, heard: Callable[[], int | None]) -> Iterator[None]:
        """While a question is being asked; `heard` says how much of its answer has come."""
        if question.exact in self._flying:
            yield  # it took too long for whoever waited
            return
        flight = self._flying[question.exact] = _Flight(heard)
        try:
            yield
        finally:
            del self._flying[question.exact]
            flight.done.set()

    async def keep(
        self, question: Question, spoken: Format, said: bytes, row: str, lane: str, model: str, usage: Usage
    ) -> None:
        """Keeps an answer that the client got, as the bytes `said`."""
        codec = CODECS[spoken]
        answer = None if _REFUSES.search(said) else _read(codec, spoken, said, streamed=question.streamed)
        value = stored(PastAnswer(answer, row, self.now(), lane, model, usage)) if answer else None
        if value is not None:
            for key in filter(None, (question.exact, question.alike)):
                with anyio.move_on_after(_BUSY_S):
                    await anyio.to_thread.run_sync(self.shelf.put, key, value, abandon_on_cancel=True)


def written(codec: Codec, answer: Answer, label: Label, *, streamed: bool) -> tuple[Headers, bytes]:
    """An answer in the client's own format: headers and body."""
    changes = Changes()
    if not streamed:
        return list(_WHOLE), codec.write_answer(answer, label, changes)
    writer = codec.AnswerWriter(label, changes)
    return list(_STREAM), b"".join(map(writer.event, spread(answer)))


def _read(codec: Codec, spoken: Format, said: bytes, *, streamed: bool) -> Answer | None:
    """The answer that a client got; None where it was more than can be given again, or not all of it."""
    label, changes = Label(Home("", ""), "", ""), Changes()
    try:
        if streamed:
            framing, reader = codec.Framing(), codec.AnswerReader(label, changes)
            frames = [*framing.feed(said), *framing.rest()]
            values = [parsed(frame.data) for frame in frames if frame.data.strip() not in (b"", b"[DONE]")]
            if not is_whole(spoken, values):
                return None
            events = [event for frame in frames for event in reader.frame(frame)]
            answer = gather([*events, *reader.end()])
        else:
            if not is_whole(spoken, [parsed(said)]):
                return None
            answer = codec.read_answer(parsed(said), label, changes)
    except (MalformedStream, Refused, AssertionError, KeyError):
        return None
    return None if changes.listed() else answer


def _single(conversation: Conversation, talk: Any) -> str | None:
    """The normal form of a single question: no tools, nothing before it, nothing but one text of the user's."""
    users = [turn for turn in conversation.turns if turn.role == "user"]
    if conversation.tools or len(users) != 1 or any(turn.role != "user" for turn in conversation.turns):
        return None
    elements = talk if isinstance(talk, list) else []
    own = [element for element in elements if isinstance(element, dict) and element.get("role") == "user"]
    if any(set(element) - _PLAIN for element in own):
        return None  # a name, or whatever else it may say of itself
    parts = users[0].parts
    return normal_form(parts[0].text) if len(parts) == 1 and isinstance(parts[0], Text) else None
