"""Requests that need no model, answered here in the client's own format: probes, titles, counts of tokens.

Each kind is a switch of the profile's. Without a word they are on for lanes with a key of their own, and off for the
tool's own login, whose provider's answers say more than their text (how much of a subscription is left). Nothing is
answered here that asks for a verdict on safety, and nothing whose answer has another shape than is known.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

from lynkr.answer import Answer
from lynkr.answers.counts import count
from lynkr.answers.question import asks_for_more
from lynkr.answers.settings import Bypassing
from lynkr.answers.title import title
from lynkr.conversation import Conversation, Text
from lynkr.document import MalformedDocument
from lynkr.errors import ClientError
from lynkr.events import End, Stop
from lynkr.formats import CODECS
from lynkr.formats.values import dump
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.coding import Unreadable
from lynkr.proxy.outbound import Inbound
from lynkr.routing.asking import asking
from lynkr.usage import CHARS_PER_TOKEN, Usage

# A larger request is no chore: Codex' titles come with all of its tools and are the largest.
_LARGEST = 256 * 1024
_ANSWERED = re.compile(rb'"role"\s*:\s*"(?:assistant|model)"')
_BEGIN, _END = "<session>", "</session>"
_ASKS_FOR_ONE = re.compile(
    r"^(?:please )?(?:generate|write|create|give) .{0,60}\btitle (?:for|of) (?:this|the|a|our) (?:conversation|session"
    r"|thread|chat)\b[^\n]*\n?",
    re.IGNORECASE,
)
# What Claude Code asks to learn from the answer's headers; a lane with a key of its own has none of those.
_QUOTA = "quota"
# Instructions that ask for a title in plain text and for nothing else; many ask for one and for more.
_GENERATES = "You are a title generator. You output ONLY a thread title. Nothing else."
_ONLY_A_TITLE = re.compile(
    r"(?:please )?(?:generate|write|create|give|suggest) (?:me )?(?:a|an|the) (?:[\w-]+,? ){0,4}?title (?:for|of)"
    r" (?:this|the|a|our) (?:conversation|session|thread|chat)(?: (?:that|based on)[^.<>,;:]{0,60})?\.?"
    r"(?: (?:reply|respond|answer|return|output)(?: only)? (?:with )?(?:only )?the title"
    r"(?: only| and nothing else)?\.?)?",
    re.IGNORECASE,
)
# What a title that a schema asks for is the title of, where it is one that we can give.
_OF_A_SESSION = re.compile(
    r"\btitle\b[^.]{0,120}\b(?:session|conversation|thread|chat)\b"
    r"|\b(?:session|conversation|thread|chat)\b[^.]{0,60}\btitle\b",
    re.IGNORECASE,
)
_TEXTS = ("string", ["string", "null"])
_PLAIN_TEXT = frozenset(("type", "description", "title", "minLength", "maxLength"))
# Codex puts what a thread begins with behind this.
_CODEX_BEGIN = "User prompt:\n"
# The user's words that a title is made of; what comes later changes it no more.
_MOST = 8000
_TURN = "x-codex-turn-metadata"
_TOPIC = {"isNewTopic", "title"}


class Bypass(NamedTuple):
    """An answer of ours: what it is for, the answer, whether it is streamed, and what asking would have taken."""

    what: str
    answer: Answer
    streamed: bool
    usage: Usage
    model: str


@dataclass(frozen=True, slots=True)
class Bypasses:
    """What a session answers itself."""

    switches: Bypassing

    def _on(self, said: bool | None, lane: Lane) -> bool:
        return lane.auth is not Auth.CLIENT if said is None else said

    def answers(self, lane: Lane) -> bool:
        """Whether anything that asks a model is answered here instead of by `lane`."""
        return self._on(self.switches.probes, lane) or self._on(self.switches.titles, lane)

    def head(self, inbound: Inbound, lane: Lane) -> bool:
        """Whether a request only wants to know that somebody is there."""
        return inbound.request.method == "HEAD" and inbound.match is None and self._on(self.switches.probes, lane)

    def answer(self, inbound: Inbound, lane: Lane) -> Bypass | None:
        """The answer to a chore; None for everything else."""
        match, wanted = inbound.match, self.switches
        probes, titles = self._on(wanted.probes, lane), self._on(wanted.titles, lane)
        if match is None or not match.metered or not (probes or titles) or len(inbound.body or b"") > _LARGEST:
            return None
        try:
            document = inbound.read()
            body = document.value
            # Chores come alone; a conversation's every turn is not to be read for them.
            if len(document.body) > _LARGEST or _ANSWERED.search(document.body):
                return None
            if not isinstance(body, dict) or asks_for_more(body):
                return None
            conversation = CODECS[match.format].read_request(body, document.trail)
        except (Unreadable, MalformedDocument, ClientError):
            return None
        asked = asking(conversation, inbound.named)
        said = None
        if asked.who == "probe" and probes and match.format is Format.ANTHROPIC and _asks_for_quota(conversation):
            said = "OK"
        elif asked.who == "title" and titles:
            said = _title(conversation, asked.prompt, named="thread_title" in inbound.named.get(_TURN, ""))
        streamed = conversation.stream or inbound.request.path.endswith(":streamGenerateContent")
        listed = streamed and match.format is Format.GEMINI and "alt=sse" not in inbound.request.target
        if said is None or listed:
            return None
        usage = Usage(input=len(inbound.body or b"") // CHARS_PER_TOKEN, output=max(1, len(said) // CHARS_PER_TOKEN))
        model = match.model or conversation.model
        stop = Stop.LENGTH if asked.who == "probe" else Stop.END
        return Bypass(asked.who, Answer("", model, (Text(said),), End(stop, usage)), streamed, usage, model)

    def counted(self, inbound: Inbound, lane: Lane) -> bytes | None:
        """The answer to a request to count tokens, for a lane that counts none; None for anything else."""
        match = inbound.match
        if match is None or match.metered or self.switches.counts is False:
            return None
        try:
            body = inbound.read().value
        except (Unreadable, MalformedDocument):
            return None
        if not isinstance(body, dict):
            return None
        if match.format is Format.GEMINI:
            inner = body.get("generateContentRequest")
            return dump({"totalTokens": count(inner if isinstance(inner, dict) else body, lane.model or "")})
        tokens = {"input_tokens": count(body, lane.model or str(body.get("model", "")))}
        return dump(
            {"object": "response.input_tokens", **tokens} if match.format is Format.OPENAI_RESPONSES else tokens
        )


def _asks_for_quota(conversation: Conversation) -> bool:
    """Whether it is the one word that Claude Code sends to see its limits, and nothing else."""
    parts = [part for turn in conversation.turns for part in turn.parts]
    alone = not conversation.system and not conversation.tools and conversation.max_output == 1
    return alone and len(parts) == 1 and isinstance(parts[0], Text) and parts[0].text == _QUOTA


def _title(conversation: Conversation, prompt: str, *, named: bool = False) -> str | None:
    """A title in the form that is asked for; None where that is not known. `named` says that Codex calls it the title
    of a thread."""
    told = "\n".join(part.text for part in conversation.system).strip()
    begun = prompt.partition(_CODEX_BEGIN)[2] if named else _begun(prompt)
    if conversation.output is None:
        only = told.startswith(_GENERATES) or _ONLY_A_TITLE.fullmatch(told)
        return title(begun) if only and "json" not in told.lower() else None
    properties = (conversation.output.schema or {}).get("properties")
    wanted = properties if isinstance(properties, dict) else {}
    whose = set(wanted) == _TOPIC or _OF_A_SESSION.search(told[-_MOST:]) or _OF_A_SESSION.search(prompt[:_MOST])
    text = wanted.get("title")
    if not (begun if named else whose) or not isinstance(text, dict):
        return None
    if text.get("type") not in _TEXTS or set(text) - _PLAIN_TEXT or text.get("minLength", 1) > 1:
        return None
    most = text.get("maxLength", _MOST)
    made = _short(title(begun), most if isinstance(most, int) else 0)
    if not made:
        return None
    if set(wanted) == {"title"}:
        return json.dumps({"title": made}, ensure_ascii=False)
    return json.dumps({"isNewTopic": True, "title": made}, ensure_ascii=False) if set(wanted) == _TOPIC else None


def _begun(prompt: str) -> str:
    """The words that a conversation began with, without what asks for their title."""
    inner = prompt.partition(_BEGIN)[2].partition(_END)[0] if _BEGIN in prompt else _ASKS_FOR_ONE.sub("", prompt)
    return inner.strip()[:_MOST]


def _short(made: str, most: int) -> str:
    """A title of at most so many characters, cut between words; "" where not even one fits."""
    while len(made) > most:
        made, gap, _ = made.rpartition(" ")
        if not gap:
            return ""
    return made
