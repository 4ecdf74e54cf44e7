"""What lynkr asks a provider for its own user: is this lane alive, and which models does it have.

The cheapest call that proves a lane is one short word to its model. Without a model it is the list of models, which is
free of charge.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lynkr.changes import Changes
from lynkr.conversation import Conversation, Home, Text, Turn
from lynkr.errors import UpstreamError
from lynkr.formats import SPEECHES
from lynkr.framing.http1 import Headers
from lynkr.lane import Auth, Format, Lane
from lynkr.secrets import Key
from lynkr.target import Label, Target
from lynkr.translate.answer import refusal
from lynkr.translate.request import write
from lynkr.upstream.ask import Told, ask
from lynkr.upstream.auth import key_headers
from lynkr.upstream.capabilities import capabilities
from lynkr.upstream.catalog import address, base_url, way
from lynkr.upstream.clouds import Login
from lynkr.upstream.fit import fit
from lynkr.usage import Usage

# OpenAI's Responses take no fewer.
_TOKENS = 16
_MODELS = {
    Format.ANTHROPIC: "/v1/models",
    Format.OPENAI_CHAT: "/v1/models",
    Format.OPENAI_RESPONSES: "/v1/models",
    Format.GEMINI: "/v1beta/models",
    Format.OLLAMA: "/api/tags",
}


_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it: `problem` is None where the lane served. `usage` is what it said it used."""

    problem: str | None
    status: int | None
    ms: float
    usage: Usage | None = None


def probe(lane: Lane, held: Key | Login | None, environ: Mapping[str, str]) -> Probed:
    """One short word to the lane's model; without a model, a look at its list of models."""
    if lane.auth is Auth.CLIENT:
        return Probed("it uses the tool's own credential, which lynkr never holds; run the tool to see", None, 0.0)
    if lane.model is None:
        return _timed(lambda: _listed(lane, held, environ))
    return _timed(lambda: _spoken(lane, lane.model or "", held, environ))


def _timed(work: Callable[[], Probed]) -> Probed:
    began = time.monotonic()
    try:
        found = work()
    except UpstreamError as error:
        return Probed(error.sentence.removeprefix("lynkr: "), None, round((time.monotonic() - began) * 1000, 1))
    return Probed(found.problem, found.status, round((time.monotonic() - began) * 1000, 1), found.usage)


def _spoken(lane: Lane, model: str, held: Key | Login | None, environ: Mapping[str, str]) -> Probed:
    spoken = lane.formats[0]
    speech, target = SPEECHES[spoken], Target(Home(lane.name, model), capabilities(lane, spoken, model))
    said = Conversation(model=model, turns=(Turn("user", (Text("Hi"),)),), max_output=_TOKENS)
    body = write(said, speech, target, fit, Changes()).body
    told = _ask(lane, spoken, held, "POST", speech.target_path(model, stream=False), body, environ)
    if problem := _problem(told, lane, spoken, held):
        return Probed(problem, told.status, 0.0)
    answer = speech.read_answer(told.json, Label(target.home, model, "probe"), Changes())
    return Probed(None, told.status, 0.0, answer.end.usage)


def _listed(lane: Lane, held: Key | Login | None, environ: Mapping[str, str]) -> Probed:
    spoken = lane.formats[0]
    if spoken not in _MODELS:
        return Probed("its models cannot be listed; name one in the profile", None, 0.0)
    told = _ask(lane, spoken, held, "GET", _MODELS[spoken], b"", environ)
    return Probed(_problem(told, lane, spoken, held), told.status, 0.0)


def _ask(
    lane: Lane,
    spoken: Format,
    held: Key | Login | None,
    method: str,
    target: str,
    body: bytes,
    environ: Mapping[str, str],
) -> Told:
    where, there = address(lane, spoken, base_url(lane, spoken, {}, {}), target), way(lane, spoken)
    headers: Headers = [(b"Accept", b"application/json"), (b"User-Agent", b"lynkr")]
    headers += [(b"Content-Type", b"application/json")] if body else []
    headers += [(name.encode(), said.encode()) for name, said in SPEECHES[spoken].HEADERS.items()]
    headers += [(name.encode(), said.encode()) for name, said in lane.headers.items()]
    if isinstance(held, Key):
        headers += key_headers(held, there, spoken)
    elif held is not None:
        headers += held.headers(method, where.url, body, there)
    return ask(lane, where, method, headers, body, environ=environ, timeout_s=_TIMEOUT_S)


def _problem(told: Told, lane: Lane, spoken: Format, held: Key | Login | None) -> str | None:
    if told.status < 300 and told.json and not told.json.get("error"):
        return None
    if told.status < 300 and not told.json:
        return f"what answers there is no {lane.provider}: check its base_url"
    said = refusal(told.body, told.status, None, SPEECHES[spoken], told.headers.get("x-amzn-errortype", ""))
    words = " ".join(said.message.split())
    # Gateways repeat what they were given.
    words = held.hidden_in(words)[:300] if isinstance(held, Key) else words[:300]
    return f"{_WHY.get(said.kind, 'it refuses')} ({told.status}: {words})"


_WHY = {
    "authentication": "it does not take this key",
    "permission": "this key may not do that",
    "not_found": "it has no such model or address",
    "billing": "the account behind the key has no money left",
    "quota": "the account behind the key has no money left",
    "rate_limit": "the key is good, but it asks for patience",
    "overloaded": "the key is good, but it is overloaded",
}
