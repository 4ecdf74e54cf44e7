"""Upstreams that take only what a provider takes: its method, path, key, headers and body; anything else it refuses.

A provider is described as data (tests/providers.py). A request that is wrong gets the provider's own documented error,
and `Strict.wrong` says in a sentence what was wrong with it. A request whose words ask for an error gets that one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from loops import loop
from scripts import Asked, Step, chunk, whole

# The key of the lane, and the client's own, which nobody else may see.
KEY = "lanes-own-key-0123456789"
USERS = "users-own-key-9876543210"
# Whatever carries a credential, of lanes and of clients.
CREDENTIALS = frozenset(("authorization", "x-api-key", "api-key", "x-goog-api-key", "ocp-apim-subscription-key", "cookie",
                         "chatgpt-account-id", "openai-organization", "openai-project", "x-amz-security-token",
                         "x-databricks-token"))  # fmt: skip
CALL: tuple[str, dict[str, Any]] = ("Bash", {"command": 'ls "a b"', "lines": [1, {"deep": "\U0001f600"}]})
TEXT = "All done."


def fail(kind: str) -> str:
    """Words in a conversation that ask for an error of a kind."""
    return f"answer with the error ({kind})"


# What is wrong with a request, as a sentence; None where nothing is.
Look = Callable[[Asked, dict[str, Any]], str | None]
# A streamed event's JSON → what the provider sends in its place.
Style = Callable[[int, dict[str, Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Refusing:
    """A provider's documented error. `means` is what it is about: credential, missing, invalid, rate, final (asking
    again is of no use), context. `wait` are the seconds that it says to wait."""

    status: int
    body: Any
    means: str
    headers: tuple[str, ...] = ()
    wait: str | None = None

    @property
    def data(self) -> bytes:
        return json.dumps(self.body).encode()

    def steps(self) -> list[Step]:
        return whole(self.data, self.status, *self.headers)


@dataclass(frozen=True)
class Endpoint:
    """One place that a provider serves. `target` and `whole` are the request targets, streamed and not; a query that is
    not in them may be `?beta=true`, which Anthropic's SDKs add. `carries` are the headers that hold the key."""

    speaks: str
    target: str
    whole: str = ""
    looks: tuple[Look, ...] = ()
    carries: tuple[str, ...] = ("authorization",)

    def serves(self, asked: Asked) -> bool:
        target = asked.target.removesuffix("?beta=true")
        return target == (self.target if _streamed(asked) else self.whole or self.target)


@dataclass(frozen=True)
class Described:
    """A provider: the lane of a profile (`{url}` stands for its address), the model that it knows, where its key is
    looked for, what it serves, how it refuses, and how its streams differ from others of their format."""

    name: str
    lane: str
    model: str
    variable: str
    endpoints: tuple[Endpoint, ...]
    refuses: Mapping[str, Refusing]
    style: Style | None = None

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(endpoint.speaks for endpoint in self.endpoints)


@dataclass
class Strict:
    """A script for a provider. `credential` replaces the look at the key, where requests are signed; `says` the answer."""

    described: Described
    credential: Look | None = None
    says: Callable[[Asked], list[Step]] | None = None
    wrong: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Iterator[Step]:
        refusing = self._refused(asked)
        if refusing is not None:
            yield from refusing.steps()
            return
        if self.says:
            yield from self.says(asked)
            return
        endpoint = next(endpoint for endpoint in self.described.endpoints if endpoint.serves(asked))
        steps = _answer(endpoint.speaks, asked)
        if self.described.style and endpoint.speaks == "openai-chat" and _streamed(asked):
            steps = _styled(steps, self.described.style)
        yield from steps

    def _refused(self, asked: Asked) -> Refusing | None:
        known = self.described.refuses
        endpoint = next((endpoint for endpoint in self.described.endpoints if endpoint.serves(asked)), None)
        if asked.method != "POST" or endpoint is None:
            self.wrong.append(f"nothing is served at {asked.method} {asked.target}")
            return known.get("route", Refusing(404, {"error": "no such path"}, "missing"))
        wrong = self.credential(asked, {}) if self.credential else holds_only(endpoint.carries)(asked, {})
        if wrong:
            self.wrong.append(wrong)
            return known.get("key") or Refusing(401, {"error": {"message": wrong}}, "credential")
        for kind, refusing in known.items():
            if fail(kind).encode() in asked.body:
                return refusing
        body = json.loads(asked.body)
        looks = (_http, names_model(self.described.model), *endpoint.looks)
        found = [wrong for look in looks if (wrong := look(asked, body))]
        self.wrong += found
        if found:
            return known.get("invalid") or Refusing(400, {"error": {"message": found[0]}}, "invalid")
        return None


def _streamed(asked: Asked) -> bool:
    path = asked.path
    in_path = ("stream" in path.rpartition("/")[2].lower(), "/model" in path)
    return in_path[0] if in_path[1] else b'"stream":true' in asked.body.replace(b": ", b":")


def _answer(speaks: str, asked: Asked) -> list[Step]:
    script = loop(*CALL, TEXT)
    if speaks == "vertex-anthropic":
        # Anthropic's own answer; the model that it names stands in the path.
        body = {**json.loads(asked.body), "model": asked.path.rpartition("/")[2].partition(":")[0]}
        return list(script["anthropic"](replace(asked, body=json.dumps(body, separators=(",", ":")).encode())))
    return list(script[speaks](asked))


def _styled(steps: list[Step], style: Style) -> list[Step]:
    head, *said, end = steps
    styled = []
    for at, step in enumerate(said):
        assert isinstance(step, bytes)
        event = step.partition(b"\r\n")[2].removesuffix(b"\r\n")
        data = event.removeprefix(b"data: ").strip()
        styled += list(style(at, json.loads(data))) if data != b"[DONE]" else [event]
    return [head, *map(chunk, styled), end]


def said(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


# --- looks ------------------------------------------------------------------------------------------------------------


def holds_only(names: tuple[str, ...]) -> Look:
    """The key stands in these headers, and no other credential is there."""

    def look(asked: Asked, _: dict[str, Any]) -> str | None:
        found = sorted((name.lower(), value) for name, value in asked.headers if name.lower() in CREDENTIALS)
        expected = sorted((name, ("Bearer " if name == "authorization" else "") + KEY) for name in names)
        return None if found == expected else f"the credentials are {found}, not {expected}"

    return look


def _http(asked: Asked, _: dict[str, Any]) -> str | None:
    named = [name.lower() for name, _ in asked.headers]
    if asked.header("content-type") != "application/json":
        return f"Content-Type is {asked.header('content-type')}"
    if asked.header("accept-encoding") not in (None, "identity"):
        return f"Accept-Encoding is {asked.header('accept-encoding')}"
    if USERS in str(asked):
        return "the client's own key is in it"
    return None if len(set(named)) == len(named) else f"headers are doubled: {named}"


def names_model(model: str) -> Look:
    """The model, in the path or in the body."""

    def look(asked: Asked, body: dict[str, Any]) -> str | None:
        said = body.get("model", model)
        return None if said == model and (model in unquote(asked.target) or "model" in body) else f"the model is {said}"

    return look


def needs(*names: str) -> Look:
    def look(_: Asked, body: dict[str, Any]) -> str | None:
        missing = [name for name in names if body.get(name) is None]
        return f"it lacks {missing}" if missing else None

    return look


def only(*names: str) -> Look:
    """No other member stands in the body."""

    def look(_: Asked, body: dict[str, Any]) -> str | None:
        extra = sorted(set(body) - set(names))
        return f"{extra}: Extra inputs are not permitted" if extra else None

    return look


def without(*names: str) -> Look:
    def look(_: Asked, body: dict[str, Any]) -> str | None:
        extra = sorted(set(body) & set(names))
        return f"{extra}: Extra inputs are not permitted" if extra else None

    return look


def header(name: str, *values: str) -> Look:
    """A header is there, and is one of these where any are named."""

    def look(asked: Asked, _: dict[str, Any]) -> str | None:
        found = asked.header(name)
        return None if found is not None and (not values or found in values) else f"{name} is {found}"

    return look


def not_betas(*refused: str) -> Look:
    """None of these betas, nor that of a claude.ai login."""

    def look(asked: Asked, body: dict[str, Any]) -> str | None:
        listed = (asked.header("anthropic-beta") or "").split(",") + list(body.get("anthropic_beta") or ())
        found = {beta.strip() for beta in listed} & {*refused, "oauth-2025-04-20"}
        return f"Unexpected value(s) {sorted(found)} for the anthropic-beta header" if found else None

    return look


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object within a value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def no_scope(_: Asked, body: dict[str, Any]) -> str | None:
    """A cache breakpoint's scope is first-party only."""
    marks = [found["cache_control"] for found in walk(body) if isinstance(found.get("cache_control"), dict)]
    return "cache_control.ephemeral.scope: Extra inputs are not permitted" if any("scope" in m for m in marks) else None


def no_billing(_: Asked, body: dict[str, Any]) -> str | None:
    """Claude Code's billing line is taken out by Anthropic's own host alone; elsewhere it would become the prompt."""
    return "the billing line became part of the prompt" if "x-anthropic-billing-header" in json.dumps(body) else None


def no_server_tools(*patterns: str) -> Look:
    def look(_: Asked, body: dict[str, Any]) -> str | None:
        kinds = [str(tool.get("type", "")) for tool in body.get("tools", [])]
        found = [kind for kind in kinds if kind.startswith(patterns)]
        return f"tools of type {found} are not supported" if found else None

    return look
