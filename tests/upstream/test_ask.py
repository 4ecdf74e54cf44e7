"""A question of lynkr's own goes the way that a tool's requests go: through the user's proxy, or past it."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from proxied import anthropic_lane
from scripts import upstream, whole

from lynkr.errors import UpstreamError
from lynkr.upstream.ask import ask
from lynkr.upstream.catalog import Address

NAME = "provider.example"


@pytest.fixture(autouse=True)
def dead(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port of a proxy of the user's that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://user:pass-word@127.0.0.1:{port}")
    return port


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named_and_not_the_lanes_address(dead: int, scheme: str) -> None:
    where = Address(scheme, NAME, 80, "/v1/models")
    with pytest.raises(UpstreamError) as caught:
        ask(anthropic_lane(None), where, "GET", [], environ={"SSL_CERT_FILE": "/nonexistent"})
    assert f"through the proxy 127.0.0.1:{dead} of your environment" in caught.value.sentence
    assert "base_url" not in caught.value.sentence and "pass-word" not in caught.value.sentence
    assert caught.value.retry


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", NAME])
def test_this_machine_and_what_no_proxy_names_are_asked_directly(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    real = socket.getaddrinfo

    def looked_up(_host: str, *rest: Any, **named: Any) -> list[Any]:
        return real("127.0.0.1", *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setenv("no_proxy", NAME)
    with upstream(lambda _: whole({"data": []})) as up:
        told = ask(anthropic_lane(None), Address("http", host, up.port, "/v1/models"), "GET", [], environ={})
    assert (told.status, told.json) == (200, {"data": []})
