"""Answers that no model has to give again: looked up before a lane is asked, kept once one has answered.

Off unless the profile says so. The same question at the same moment is asked once: who comes second waits for the
first's answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

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
from lynkr.formats import CODECS, CREDENTIAL_HEADERS, Codec
from lynkr.formats.watch import parsed
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.coding import Unreadable
from lynkr.proxy.outbound import Inbound
from lynkr.secrets import Key
from lynkr.target import Label
from lynkr.upstream.auth import Headers
from lynkr.upstream.clouds import Login
from lynkr.usage import Usage

# What makes an answer more than its text, or the question more than its body.
_MORE = frozenset((
    "safeguards", "n", "logprobs", "top_logprobs", "modalities", "audio", "background", "previous_response_id",
    "conversation", "prediction", "web_search_options", "cachedContent",
))  # fmt: skip
# OpenAI's models say so beside their words, not in them.
_REFUSES = re.compile(rb'"refusal"\s*:\s*"|"type"\s*:\s*"refusal"|"response\.refusal')
# Whoever waits for another's answer to the same question waits no longer than this.
_PATIENCE_S = 120.0
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
        # Of the tool's own login everything that could say whose it is: headers, and what stands in the address.
        login = [named.get(name, "") for name in sorted(CREDENTIAL_HEADERS | {"chatgpt-account-id"})]
        said = held.reveal() if held else "\0".join([*login, inbound.request.target.partition("?")[2]])
        credential = "" if lane.auth is Auth.NONE else hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
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
        if self.mode == "semantic" and (form := _single(conversation, body.get(CODECS[match.format].TALK))):
            # All but the question itself has to be the same: what would be asked with its normal form in its place.
            rest = {name: value for name, value in body.items() if name != CODECS[match.format].TALK}
            system = [part.text for part in conversation.system]  # which some formats have among the messages
            alike = exact_key({**rest, "lynkr": [system, form]}, match.format, (*whose, "alike"), named)
        return Question(exact, alike, streamed)

    async def find(self, question: Question) -> tuple[str, Given] | None:
        """The answer to a question, and how it was found: `exact` or `semantic`."""
        # In a thread: another session may hold the file for a moment, and others are being served here.
        with anyio.move_on_after(_BUSY_S):
            return await anyio.to_thread.run_sync(self._find, question, abandon_on_cancel=True)
        return None

    def _find(self, question: Question) -> tuple[str, Given] | None:
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

    async def keep(
        self, question: Question, codec: Codec, said: bytes, row: str, lane: str, model: str, usage: Usage
    ) -> None:
        """Keeps an answer that the client got, as the bytes `said`."""
        answer = None if _REFUSES.search(said) else _read(codec, said, streamed=question.streamed)
        value = stored(Given(answer, row, self.now(), lane, model, usage)) if answer else None
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
