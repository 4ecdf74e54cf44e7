"""Where a request goes: the lane's own base URL, where the tool would have sent it, or the provider; joined as SDKs do."""

from __future__ import annotations

import dataclasses

import pytest

from lynkr.errors import ConfigError
from lynkr.lane import Auth, Lane
from lynkr.upstream.catalog import PROVIDERS, REGION, Address, address, base_url, check_url


def lane(provider: str, auth: Auth = Auth.CLIENT, url: str | None = None) -> Lane:
    return Lane("main", provider, PROVIDERS[provider].formats, auth, url)


def joined(provider: str, base: str, target: str) -> str:
    where = address(lane(provider), base, target)
    return f"{where.scheme}://{where.authority}{where.target}"


def test_every_provider_has_all_that_it_needs() -> None:
    local = ["ollama", "llamacpp", "lmstudio", "vllm"]
    alike = ["openrouter", "deepseek", "moonshot", "zai", "minimax", "groq", "xai", "mistral"]
    assert list(PROVIDERS) == ["anthropic", "openai", "gemini", *local, *alike, "bedrock"]
    for name, provider in PROVIDERS.items():
        assert provider.name == name
        assert provider.formats
        check_url(provider.base_url.replace(REGION, "eu-central-1"), name)
        # Only what runs on this machine asks for no key and speaks without TLS.
        assert provider.key_env or provider.base_url.startswith("http://127.0.0.1")
        assert provider.base_url.startswith("https://") or not provider.key_env
        # What stands for the version in a client's path is in the base URL already.
        assert provider.base_url.endswith(provider.prefix or provider.base_url) or name == "zai"


@pytest.mark.parametrize(
    ("provider", "target", "url"),
    [
        ("anthropic", "/v1/messages", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "/v1/messages?beta=true", "https://api.anthropic.com/v1/messages?beta=true"),
        ("openai", "/v1/responses", "https://api.openai.com/v1/responses"),
        ("openai", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("openai", "/responses", "https://api.openai.com/v1/responses"),
        ("zai", "/v1/chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"),
        ("groq", "/v1/chat/completions", "https://api.groq.com/openai/v1/chat/completions"),
        ("openrouter", "/v1/messages?beta=true", "https://openrouter.ai/api/v1/messages?beta=true"),
        ("llamacpp", "/v1/messages", "http://127.0.0.1:8080/v1/messages"),
        ("openai", "/v1", "https://api.openai.com/v1"),
        ("openai", "/v1?x=1", "https://api.openai.com/v1?x=1"),
        ("openai", "/v1beta/x", "https://api.openai.com/v1/v1beta/x"),
        (
            "gemini",
            "/v1beta/models/gemini-3:generateContent?key=1",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-3:generateContent?key=1",
        ),
    ],
)
def test_the_providers_own_address_is_the_vendors(provider: str, target: str, url: str) -> None:
    assert joined(provider, PROVIDERS[provider].base_url, target) == url


@pytest.mark.parametrize(
    ("provider", "base", "target", "url"),
    [
        ("anthropic", "http://127.0.0.1:8080", "/v1/messages", "http://127.0.0.1:8080/v1/messages"),
        ("anthropic", "https://corp.example/anthropic", "/v1/messages", "https://corp.example/anthropic/v1/messages"),
        ("anthropic", "https://corp.example/anthropic/", "/v1/messages", "https://corp.example/anthropic/v1/messages"),
        ("openai", "http://localhost:11434/v1", "/v1/chat/completions", "http://localhost:11434/v1/chat/completions"),
        ("openai", "http://localhost:11434/v1/", "/v1/chat/completions", "http://localhost:11434/v1/chat/completions"),
        ("openai", "https://corp.example/x/v1", "/v1/responses?a=%2F", "https://corp.example/x/v1/responses?a=%2F"),
        ("openai", "https://corp.example", "/v1/responses", "https://corp.example/responses"),
    ],
)
def test_a_base_url_is_joined_as_the_vendors_sdk_joins_it(provider: str, base: str, target: str, url: str) -> None:
    assert joined(provider, base, target) == url


def test_a_bare_base_url_and_no_path_is_the_root() -> None:
    assert address(lane("openai"), "https://corp.example", "/v1").target == "/"


@pytest.mark.parametrize(
    ("base", "authority"),
    [
        ("https://corp.example", "corp.example"),
        ("https://corp.example:443", "corp.example"),
        ("https://corp.example:80", "corp.example:80"),
        ("http://corp.example:80", "corp.example"),
        ("http://corp.example:443", "corp.example:443"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://[::1]", "[::1]"),
    ],
)
def test_the_host_header_names_the_port_only_where_it_is_another(base: str, authority: str) -> None:
    assert address(lane("anthropic"), base, "/").authority == authority


def test_an_address_has_the_parts_that_a_connection_needs() -> None:
    assert address(lane("openai"), "http://h:1/v1", "/v1/responses") == Address("http", "h", 1, "/v1/responses")


def test_the_lanes_own_base_url_comes_first() -> None:
    own = lane("openai", url="http://mine.example/v1")
    assert base_url(own, {"openai": "http://origin.example"}, {"chatgpt-account-id": "x"}) == "http://mine.example/v1"


def test_with_the_tools_own_credential_it_goes_where_the_tool_would_have_sent_it() -> None:
    origins = {"anthropic": "http://origin.example"}
    assert base_url(lane("anthropic"), origins, {}) == "http://origin.example"
    assert base_url(lane("gemini"), origins, {}) == PROVIDERS["gemini"].base_url


def test_with_a_key_of_the_lane_it_goes_to_the_provider() -> None:
    found = base_url(lane("anthropic", Auth.KEY), {"anthropic": "http://origin.example"}, {})
    assert found == "https://api.anthropic.com"


def test_a_chatgpt_login_goes_to_chatgpts_own_backend() -> None:
    headers = {"chatgpt-account-id": "acc"}
    found = base_url(lane("openai"), {}, headers)
    assert found == "https://chatgpt.com/backend-api/codex"
    assert joined("openai", found, "/v1/responses") == "https://chatgpt.com/backend-api/codex/responses"
    assert base_url(lane("openai"), {}, {"authorization": "x"}) == "https://api.openai.com/v1"
    assert base_url(lane("openai", Auth.KEY), {}, headers) == "https://api.openai.com/v1"
    assert base_url(lane("anthropic"), {}, headers) == "https://api.anthropic.com"


@pytest.mark.parametrize(
    "url",
    [
        "https://corp.example",
        "http://127.0.0.1:8080",
        "https://corp.example/a/b/",
        "http://[::1]:1/v1",
        "HTTPS://corp.example",
    ],
)
def test_a_base_url_may_be_any_absolute_http_url(url: str) -> None:
    check_url(url, "x")
    assert address(dataclasses.replace(lane("anthropic"), base_url=url), url, "/v1").host


@pytest.mark.parametrize(
    "url",
    ["", "corp.example", "corp.example:8080", "//corp.example", "ftp://corp.example", "file:///etc", "http://", "https:///v1",
     "http://corp.example:99999", "http://corp.example:0", "http://corp.example:x", "http://[::1", "http://h?x=1", "http://h#x"],
)  # fmt: skip
def test_what_cannot_be_a_base_url_is_a_configuration_error_that_shows_one(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_url(url, "here.toml:3: base_url")
    assert caught.value.exit_status == 78
    assert caught.value.sentence.startswith(f"here.toml:3: base_url = {url!r} is no base URL")
    assert "https://host[:port][/path]" in caught.value.sentence
