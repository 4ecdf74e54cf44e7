"""A request that is over is gone: nothing of it points back to it, so its body is freed at once and not when somebody
looks for garbage. A session's memory, and its pauses, rest on that."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
from proxied import Proxy, anthropic_lane, ask, proxy
from scripts import Script, anthropic, chat, upstream, whole

from lynkr.answers.settings import Caching
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.outbound import Inbound
from lynkr.routing.router import Router
from lynkr.routing.settings import Routing
from lynkr.secrets import Key
from lynkr.transforms.settings import Settings

REFUSED = whole({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, 400)
BUSY = whole({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, 529)
KEYS = {name: Key("sk-lanes-own") for name in ("main", "other")}


@pytest.fixture
def nobody_looks() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def keyed(url: str, name: str = "main") -> Lane:
    return Lane(name, "anthropic", (Format.ANTHROPIC,), Auth.KEY, url, model="claude-sonnet-5")


def translated(url: str) -> Lane:
    return Lane("main", "openai", (Format.OPENAI_CHAT,), Auth.KEY, url + "/v1", model="gpt-5.5")


def left_over(lynkr: Proxy, streamed: bool, times: int = 5) -> int:
    """How many requests are there still after so many that are over."""
    for n in range(times):
        text = "\n".join(f"test_{line} PASSED" for line in range(100))
        said: list[Any] = [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash",
                                               "input": {"command": "pytest -v"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": text}]},
        ]  # fmt: skip
        body = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": streamed, "temperature": n / 10,
                "messages": [{"role": "user", "content": "Why?"}, *said]}  # fmt: skip
        ask(lynkr.port, "/v1/messages", json.dumps(body).encode())
        lynkr.row(n)
    return sum(isinstance(each, Inbound) for each in gc.get_objects())


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    "kind", ["relayed", "compressed", "translated", "answered again", "refused", "translated, refused"]
)
@pytest.mark.usefixtures("nobody_looks")
def test_of_a_request_that_is_over_nothing_is_left(kind: str, streamed: bool) -> None:
    script: Script = anthropic()
    if kind.startswith("translated"):
        script = chat()
    if kind.endswith("refused"):
        script = lambda _: REFUSED  # noqa: E731
    with upstream(script) as up:
        more: dict[str, Any] = {"keys": KEYS}
        lane = keyed(up.url)
        if kind.startswith("translated"):
            lane = translated(up.url)
        elif kind == "relayed":
            lane = anthropic_lane(up.url)
        elif kind == "compressed":
            more["compress"] = Settings(tool_results=True)
        elif kind == "answered again":
            more["caching"] = Caching(answers="exact")
        with proxy(lane, **more) as lynkr:
            # One that is waited for by its connection may be there for a moment longer.
            assert left_over(lynkr, streamed) <= 1


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.usefixtures("nobody_looks")
def test_nor_where_another_lane_stepped_in(streamed: bool) -> None:
    with upstream(lambda _: BUSY) as busy, upstream(anthropic()) as up:
        lanes = (keyed(busy.url), keyed(up.url, "other"))
        router = Router(lanes, "complex", "first lane of the tier", routing=Routing(breaker_failures=0))
        with proxy(*lanes, keys=KEYS, router=router) as lynkr:
            assert left_over(lynkr, streamed) <= 1
            assert {row.lane for row in lynkr.rows} == {"other"}
