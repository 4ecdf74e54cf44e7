"""`direct`, with the providers' real names: through TLS, the user's HTTPS proxy and the user's own certificate authority.

A proxy on loopback plays the network: it takes CONNECT for any host and answers as that host, with a certificate of an
authority that only SSL_CERT_FILE knows. So these requests go where they would go in the world, as far as lynkr can see.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from conftest import lynkr
from scripts import Asked, Script, Upstream, anthropic, codex_loop, serve, upstream

HOSTS = ("api.anthropic.com", "api.openai.com", "chatgpt.com", "generativelanguage.googleapis.com", "gateway.example")


@dataclass
class Network:
    """The world as the proxy plays it: what each host was asked."""

    port: int
    authority: str
    state: Upstream
    connects: list[str] = field(default_factory=list)

    def asked(self, host: str) -> list[Asked]:
        return [asked for asked in self.state.asked if asked.server_name == host]


@contextlib.contextmanager
def network(script: Script, folder: Path) -> Iterator[Network]:
    authority = trustme.CA()
    contexts = {}
    for host in HOSTS:
        contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(contexts[host])
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(file)
    found = Network(0, str(file), Upstream(script))

    class Proxy(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.request.recv(1)
            method, target, _ = head.decode().split(" ", 2)
            assert method == "CONNECT"
            host = target.partition(":")[0]
            found.connects.append(target)
            self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            with (
                contextlib.suppress(OSError, ssl.SSLError),
                contexts[host].wrap_socket(self.request, server_side=True) as tls,
            ):
                serve(tls, found.state, host)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Proxy) as server:
        found.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()


# One request to whatever URL the environment names, with headers from the arguments.
CLIENT = """
import json, os, sys, urllib.request
variable, path, headers, body = sys.argv[1:]
headers = {"content-type": "application/json", **json.loads(headers)}
request = urllib.request.Request(os.environ[variable] + path, body.encode() or None, headers)
print(urllib.request.urlopen(request).status)
"""


def client(variable: str, path: str, headers: dict[str, str], body: dict[str, object] | None) -> list[str]:
    return [sys.executable, "-c", CLIENT, variable, path, json.dumps(headers), json.dumps(body) if body else ""]


def run(home: Path, world: Network, *words: str, **env: str) -> int:
    proxy = f"http://127.0.0.1:{world.port}"
    ran = lynkr("run", "--", *words, home=home, HTTPS_PROXY=proxy, SSL_CERT_FILE=world.authority, **env)
    assert ran.out == "200\n", ran.err
    return ran.status


def test_each_provider_is_reached_under_its_own_name_with_the_clients_credential(clean_machine: Path) -> None:
    claude = client("ANTHROPIC_BASE_URL", "/v1/messages", {"authorization": "Bearer sk-ant-oat01-mine"}, {"model": "m"})
    codex = client("OPENAI_BASE_URL", "/responses", {"authorization": "Bearer sk-mine"}, {"model": "m", "input": []})
    gemini = client(
        "GOOGLE_GEMINI_BASE_URL", "/v1beta/models/g:generateContent", {"x-goog-api-key": "k"}, {"contents": []}
    )
    models = client("ANTHROPIC_BASE_URL", "/v1/models", {"anthropic-version": "2023-06-01"}, None)

    def script(asked: Asked) -> object:
        return (
            anthropic() if asked.server_name == "api.anthropic.com" and asked.method == "POST" else codex_loop("ls")
        )(asked)

    with network(script, clean_machine) as world:  # type: ignore[arg-type]
        for words in (claude, codex, gemini, models):
            run(clean_machine, world, *words)
    assert [(a.method, a.target) for a in world.asked("api.anthropic.com")] == [
        ("POST", "/v1/messages"),
        ("GET", "/v1/models"),
    ]
    assert world.asked("api.anthropic.com")[0].header("authorization") == "Bearer sk-ant-oat01-mine"
    assert world.asked("api.anthropic.com")[0].header("host") == "api.anthropic.com"
    assert [a.target for a in world.asked("api.openai.com")] == ["/v1/responses"]
    google = world.asked("generativelanguage.googleapis.com")
    assert [(a.target, a.header("x-goog-api-key")) for a in google] == [("/v1beta/models/g:generateContent", "k")]
    assert set(world.connects) == {f"{host}:443" for host in HOSTS[:2] + HOSTS[3:4]}


def test_a_chatgpt_login_goes_to_chatgpts_backend(clean_machine: Path) -> None:
    headers = {"authorization": "Bearer jwt", "chatgpt-account-id": "acc"}
    with network(codex_loop("ls"), clean_machine) as world:
        run(clean_machine, world, *client("OPENAI_BASE_URL", "/responses", headers, {"model": "m", "input": []}))
    (asked,) = world.asked("chatgpt.com")
    assert (asked.target, asked.header("chatgpt-account-id")) == ("/backend-api/codex/responses", "acc")


def test_direct_goes_where_the_tool_would_have_gone(clean_machine: Path) -> None:
    with network(anthropic(), clean_machine) as world:
        words = client("ANTHROPIC_BASE_URL", "/v1/messages", {"x-api-key": "k"}, {"model": "m"})
        run(clean_machine, world, *words, ANTHROPIC_BASE_URL="https://gateway.example/team/anthropic/")
    assert [asked.target for asked in world.asked("gateway.example")] == ["/team/anthropic/v1/messages"]


def test_loopback_never_goes_through_the_users_proxy(clean_machine: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody, upstream(anthropic()) as up:
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        words = client("ANTHROPIC_BASE_URL", "/v1/messages", {"x-api-key": "k"}, {"model": "m"})
        ran = lynkr("run", "--", *words, home=clean_machine, HTTP_PROXY=dead, http_proxy=dead, ALL_PROXY=dead,
                    ANTHROPIC_BASE_URL=up.url)  # fmt: skip
        assert ran.out == "200\n", ran.err


@pytest.mark.parametrize("value", ["1", "true"])
def test_claude_set_to_a_cloud_is_refused_before_it_starts(clean_machine: Path, value: str) -> None:
    tool = clean_machine / "bin" / "claude"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho started\n")
    tool.chmod(0o755)
    ran = lynkr("run", "claude", home=clean_machine, PATH=str(tool.parent), CLAUDE_CODE_USE_BEDROCK=value)
    assert (ran.status, ran.out) == (78, "")
    assert "CLAUDE_CODE_USE_BEDROCK" in ran.err
