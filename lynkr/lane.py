"""A lane: what a request is sent down. A plain value; profiles make it, routing chooses it, upstream opens it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Format(StrEnum):
    """A wire format, by the name that a profile uses."""

    ANTHROPIC = "anthropic"
    OPENAI_CHAT = "openai-chat"
    OPENAI_RESPONSES = "openai-responses"
    GEMINI = "gemini"
    # Of lanes only; no tool speaks these to us.
    OLLAMA = "ollama"
    BEDROCK_CONVERSE = "bedrock-converse"
    BEDROCK_INVOKE = "bedrock-invoke"
    VERTEX_ANTHROPIC = "vertex-anthropic"


class Auth(StrEnum):
    """Whose credential a request carries."""

    CLIENT = "client"  # the tool's own, passed through untouched
    KEY = "key"  # the lane's own, which the tool never sees
    CLOUD = "cloud"  # the user's login at the provider's cloud (AWS, Google Cloud, Entra ID, Databricks)
    NONE = "none"  # nobody's: a server that asks for none


class Price(NamedTuple):
    """USD per million tokens. A rate that is None has no figure of its own."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None


class Lane(NamedTuple):
    """Provider, model, credential and limits under one name.

    `base_url` is None where the request goes to the provider's own address, or, with `auth` CLIENT, to wherever the
    tool would have sent it. `model` None leaves the model to the tool. `timeout_s` bounds the wait for any
    one byte; without it the client decides. `region`, `project` and `api_version` are parts of some providers'
    addresses. `concurrency` is how many requests may be under way at once; more wait.
    """

    name: str
    provider: str
    formats: tuple[Format, ...]
    auth: Auth
    base_url: str | None = None
    model: str | None = None
    key: str | None = None
    key_env: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    timeout_s: float | None = None
    price: Price | None = None
    context: int | None = None
    region: str | None = None
    project: str | None = None
    api_version: str | None = None
    concurrency: int | None = None

    def format_for(self, spoken: Format) -> Format | None:
        """The format in which a request that speaks `spoken` goes down this lane; None where it cannot.

        The client's own where the lane has it. What carries the client's credential is never translated: it belongs to
        whoever speaks that format.
        """
        if spoken in self.formats:
            return spoken
        return None if self.auth is Auth.CLIENT else self.formats[0]
