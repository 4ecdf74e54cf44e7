"""What tests of answers share: lanes of every format with a key of their own, questions in every client's format, and
upstreams that number their answers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from loops import loop
from proxied import Answer, Proxy, connect, proxy, read, request
from scripts import Asked, Script, Step, Upstream, anthropic, upstream

from lynkr.answers.settings import Caching, Mode
from lynkr.lane import Auth, Format, Lane, Price
from lynkr.secrets import Key

MODEL = "claude-opus-5-5"
ASKED = "How do I undo a commit?"
PRICE = Price(input=2.0, output=10.0, cache_read=0.2, cache_write=2.5, cache_write_1h=4.0)
CLIENTS = ("anthropic", "openai-chat", "openai-responses", "gemini")
# The provider of each format, and a model of its.
HOUSES = {"anthropic": ("anthropic", MODEL), "openai-chat": ("openai", "gpt-5.5"),
          "openai-responses": ("openai", "gpt-5.5"), "gemini": ("gemini", "gemini-3-pro-preview")}  # fmt: skip


def lane(url: str, spoken: str = "anthropic", **more: Any) -> Lane:
    """A lane with a key of its own."""
    provider, model = HOUSES[spoken]
    more = {"name": "main", "auth": Auth.KEY, "model": model, "price": PRICE, **more}
    where = url + ("/v1" if provider == "openai" else "")
    return Lane(provider=provider, formats=(Format(spoken),), base_url=where, **more)


def numbered() -> Script:
    """Answers every Messages request with a number of its own."""
    count = iter(range(1, 1_000_000))
    return lambda asked: anthropic(f"Answer {next(count)}.")(asked)


def said_by(spoken: str) -> Script:
    """Answers in a format, always the same."""
    return loop("-", {})[spoken]


@contextlib.contextmanager
def session(
    up: Upstream, folder: Path, mode: Mode = "exact", *, key: str = "sk-lane", spoken: str = "anthropic",
    whose: str = "work", caching: Caching | None = None, **more: Any,
) -> Iterator[Proxy]:  # fmt: skip
    """A session with one lane to `up` and its answers in `folder`."""
    one = lane(up.url, spoken, **more)
    keys = {one.name: Key(key)} if one.auth is Auth.KEY else {}
    with proxy(one, keys=keys, caching=caching or Caching(mode), shelf=folder / "answers", whose=whose) as lynkr:
        yield lynkr


@contextlib.contextmanager
def answering(folder: Path, mode: Mode = "exact", script: Script | None = None, **more: Any) -> Iterator[
    tuple[Upstream, Proxy]
]:  # fmt: skip
    """An upstream, and a session with one lane to it."""
    with upstream(script or numbered()) as up, session(up, folder, mode, **more) as lynkr:
        yield up, lynkr


def target(client: str, *, streamed: bool = False) -> str:
    """Where a client of a format asks."""
    verb = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    return {"anthropic": "/v1/messages?beta=true", "openai-chat": "/v1/chat/completions",
            "openai-responses": "/v1/responses", "gemini": f"/v1beta/models/gemini-3-pro-preview:{verb}"}[client]  # fmt: skip


def body(client: str = "anthropic", said: str = ASKED, *, streamed: bool = False, **more: Any) -> dict[str, Any]:
    """A single question."""
    flag: dict[str, Any] = {"stream": True} if streamed else {}
    message = {"role": "user", "content": said}
    match client:
        case "anthropic":
            made: dict[str, Any] = {"model": MODEL, "max_tokens": 1000, "messages": [message], **flag}
        case "openai-chat":
            made = {"model": "gpt-5.5", "messages": [message], **flag}
            made |= {"stream_options": {"include_usage": True}} if streamed else {}
        case "openai-responses":
            made = {"model": "gpt-5.5", "input": [{"type": "message", **message}], "store": False, **flag}
        case _:
            made = {"contents": [{"role": "user", "parts": [{"text": said}]}]}
    return made | more


def send(
    lynkr: Proxy, value: dict[str, Any], client: str = "anthropic", headers: Iterable[str] = (), *, at: str = ""
) -> Answer:
    """Sends a request, and goes once it has its row."""
    where, rows = at or target(client, streamed=bool(value.get("stream"))), len(lynkr.rows)
    with connect(lynkr.port) as connection:
        connection.sendall(request(lynkr.port, where, json.dumps(value).encode(), list(headers)))
        answer = read(connection)
        lynkr.row(rows)
        return answer


def text(answer: Answer) -> str:
    """What an answer in Anthropic's format says."""
    value = json.loads(answer.body)
    return "".join(block.get("text", "") for block in value["content"])


def echoes(asked: Asked) -> Iterable[Step]:
    """Answers each question with itself."""
    return anthropic(str(asked.json["messages"][-1]["content"]))(asked)
