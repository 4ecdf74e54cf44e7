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
from lynkr.answers.settings import Bypassing
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
from lynkr.transforms.title import title
from lynkr.usage import Usage

# A larger request is no chore: Codex' titles come with all of its tools and are the largest.
_LARGEST = 256 * 1024
_ANSWERED = re.compile(rb'"role"\s*:\s*"(?:assistant|model)"')
_SESSION = re.compile(r"<session>\s*(.*?)\s*</session>", re.DOTALL)
_ASKS_FOR_ONE = re.compile(r"^(?:please )?(?:generate|write|create|give) .{0,60}\btitle\b[^\n]*:?\s*", re.IGNORECASE)
# What Claude Code asks to learn from the answer's headers; a lane with a key of its own has none of those.
_QUOTA = "quota"
# Instructions that ask for a title in plain text and for nothing else; many ask for one and for more.
_ONLY_A_TITLE = re.compile(
    r"you are a title generator|(?:generate|write|create|give|suggest) (?:me )?(?:a|an|the) (?:[\w-]+,? ){0,4}?title"
    r" (?:for|of) (?:this|the|a|our) (?:conversation|session|thread|chat)\b",
    re.IGNORECASE,
)
_CHARS = 4
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

    def head(self, inbound: Inbound, lane: Lane) -> bool:
        """Whether a request only wants to know that somebody is there."""
        return inbound.request.method == "HEAD" and inbound.match is None and self._on(self.switches.probes, lane)

    def answer(self, inbound: Inbound, lane: Lane) -> Bypass | None:
        """The answer to a chore; None for everything else."""
        match, wanted = inbound.match, self.switches
        probes, titles = self._on(wanted.probes, lane), self._on(wanted.titles, lane)
        if match is None or not match.metered or not (probes or titles) or len(inbound.body or b"") > _LARGEST:
            return None
        if _ANSWERED.search(inbound.body or b""):
            return None  # chores come alone; a conversation's every turn is not to be read for them
        try:
            body = inbound.read().value
            if not isinstance(body, dict) or body.get("safeguards"):
                return None
            conversation = CODECS[match.format].read_request(body)
        except (Unreadable, MalformedDocument, ClientError):
            return None
        asked = asking(conversation, inbound.named)
        said = None
        if asked.who == "probe" and probes and conversation.max_output == 1 and asked.prompt.strip() == _QUOTA:
            said = "OK"
        elif asked.who == "title" and titles:
            said = _title(conversation, asked.prompt)
        streamed = conversation.stream or inbound.request.path.endswith(":streamGenerateContent")
        listed = streamed and match.format is Format.GEMINI and "alt=sse" not in inbound.request.target
        if said is None or listed:
            return None
        usage = Usage(input=len(inbound.body or b"") // _CHARS, output=max(1, len(said) // _CHARS))
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


def _title(conversation: Conversation, prompt: str) -> str | None:
    """A title in the form that is asked for; None where that is not known."""
    found = _SESSION.search(prompt)
    made = title(found[1] if found else _ASKS_FOR_ONE.sub("", prompt))
    if conversation.output is None:
        told = "\n".join(part.text for part in conversation.system).strip()
        return made if _ONLY_A_TITLE.match(told) and "json" not in told.lower() else None
    properties = (conversation.output.schema or {}).get("properties")
    names = set(properties) if isinstance(properties, dict) else set()
    if names == {"title"}:
        return json.dumps({"title": made}, ensure_ascii=False)
    return json.dumps({"isNewTopic": True, "title": made}, ensure_ascii=False) if names == _TOPIC else None
