"""Where a request goes: the lane's own base URL, where the tool would have sent it, or the provider; joined as SDKs do."""

from __future__ import annotations

from typing import Any

import pytest

from lynkr.errors import ConfigError
from lynkr.formats import match
from lynkr.lane import Auth, Format, Lane
from lynkr.upstream.catalog import Address, address, base_url, check_url, formats, missing, way
from lynkr.upstream.providers import PROVIDERS

ANTHROPIC, CHAT, RESPONSES, GEMINI = Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI


def lane(
    provider: str, auth: Auth = Auth.CLIENT, url: str | None = None, model: str | None = None, **more: Any
) -> Lane:
    said = more.pop("format", None)
    spoken = formats(provider, model, url, more.get("api_version"), said)
    more.setdefault("region", PROVIDERS[provider].region)
    return Lane("main", provider, spoken, auth, url, model, **more)


def spoken_in(target: str) -> Format | None:
    found = match("POST", target.partition("?")[0])
    return found.format if found else None


def joined(provider: str, base: str, target: str) -> str:
    return address(lane(provider), spoken_in(target) or PROVIDERS[provider].formats[0], base, target).url


def test_every_provider_has_all_that_it_needs() -> None:
    for name, provider in PROVIDERS.items():
        assert provider.name == name
        assert provider.formats
        for there in provider.ways:
            if there.host:
                filled = there.host.replace("{region}", "eu-central-1").replace("{google}", "aiplatform.googleapis.com")
                check_url(filled + there.path, name)
                # Only what runs on this machine speaks without TLS.
                assert there.host.startswith("https://") or there.host.startswith("http://127.0.0.1")
            else:
                check_url(provider.example.replace("HOST", "host"), name)
        local = all(there.host.startswith("http://127.0.0.1") for there in provider.ways)
        assert provider.key_env or provider.cloud or provider.only_for or local or name == "custom"


@pytest.mark.parametrize(
    ("provider", "target", "url"),
    [
        ("anthropic", "/v1/messages", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "/v1/messages?beta=true", "https://api.anthropic.com/v1/messages?beta=true"),
        ("openai", "/v1/responses", "https://api.openai.com/v1/responses"),
        ("openai", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("openai", "/responses", "https://api.openai.com/v1/responses"),
        ("moonshot", "/v1/messages", "https://api.moonshot.ai/anthropic/v1/messages"),
        ("moonshot", "/v1/responses", "https://api.moonshot.ai/v1/responses"),
        ("deepseek", "/v1/messages?beta=true", "https://api.deepseek.com/anthropic/v1/messages?beta=true"),
        ("deepseek", "/v1/chat/completions", "https://api.deepseek.com/v1/chat/completions"),
        ("zai", "/v1/messages", "https://api.z.ai/api/anthropic/v1/messages"),
        ("minimax", "/v1/messages", "https://api.minimax.io/anthropic/v1/messages"),
        ("llamacpp", "/v1/chat/completions", "http://127.0.0.1:8080/v1/chat/completions"),
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
    spoken = spoken_in(target) or PROVIDERS[provider].formats[0]
    assert address(lane(provider), spoken, base_url(lane(provider), spoken, {}, {}), target).url == url


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
    assert address(lane("openai"), RESPONSES, "https://corp.example", "/v1").target == "/"


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
    assert address(lane("anthropic"), ANTHROPIC, base, "/").authority == authority


def test_an_address_has_the_parts_that_a_connection_needs() -> None:
    assert address(lane("openai"), RESPONSES, "http://h:1/v1", "/v1/responses") == Address(
        "http", "h", 1, "/v1/responses"
    )


def test_the_lanes_own_base_url_comes_first() -> None:
    own = lane("openai", url="http://mine.example/v1")
    assert (
        base_url(own, RESPONSES, {"openai": "http://origin.example"}, {"chatgpt-account-id": "x"})
        == "http://mine.example/v1"
    )


def test_with_the_tools_own_credential_it_goes_where_the_tool_would_have_sent_it() -> None:
    origins = {"anthropic": "http://origin.example"}
    assert base_url(lane("anthropic"), ANTHROPIC, origins, {}) == "http://origin.example"
    assert base_url(lane("claude"), ANTHROPIC, origins, {}) == "http://origin.example"
    assert base_url(lane("gemini"), GEMINI, origins, {}) == "https://generativelanguage.googleapis.com"


def test_with_a_key_of_the_lane_it_goes_to_the_provider() -> None:
    found = base_url(lane("anthropic", Auth.KEY), ANTHROPIC, {"anthropic": "http://origin.example"}, {})
    assert found == "https://api.anthropic.com"


def test_a_chatgpt_login_goes_to_chatgpts_own_backend() -> None:
    headers = {"chatgpt-account-id": "acc"}
    found = base_url(lane("openai"), RESPONSES, {}, headers)
    assert found == "https://chatgpt.com/backend-api/codex"
    assert joined("openai", found, "/v1/responses") == "https://chatgpt.com/backend-api/codex/responses"
    assert base_url(lane("openai"), RESPONSES, {}, {"authorization": "x"}) == "https://api.openai.com/v1"
    assert base_url(lane("openai", Auth.KEY), RESPONSES, {}, headers) == "https://api.openai.com/v1"
    assert base_url(lane("anthropic"), ANTHROPIC, {}, headers) == "https://api.anthropic.com"


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
    assert address(lane("anthropic")._replace(base_url=url), ANTHROPIC, url, "/v1").host


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


def reached(of: Lane, spoken: Format, target: str) -> str:
    return address(of, spoken, base_url(of, spoken, {}, {}), target).url


KEYED = {"auth": Auth.KEY}
CLAUDE_URL = "/v1/messages"
CHAT_URL = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("made", "spoken", "target", "url"),
    [
        ({"provider": "azure-anthropic", "url": "https://corp.services.ai.azure.com"}, ANTHROPIC, CLAUDE_URL,
         "https://corp.services.ai.azure.com/anthropic/v1/messages"),
        ({"provider": "azure-anthropic", "url": "https://corp.services.ai.azure.com/anthropic"}, ANTHROPIC, CLAUDE_URL,
         "https://corp.services.ai.azure.com/anthropic/v1/messages"),
        ({"provider": "azure-openai", "url": "https://corp.openai.azure.com"}, RESPONSES, "/v1/responses",
         "https://corp.openai.azure.com/openai/v1/responses"),
        ({"provider": "azure-openai", "url": "https://corp.openai.azure.com/openai/v1"}, CHAT, CHAT_URL,
         "https://corp.openai.azure.com/openai/v1/chat/completions"),
        ({"provider": "azure-openai", "url": "https://corp.openai.azure.com", "model": "gpt-4o", "api_version": "2024-10-21"},
         CHAT, CHAT_URL,
         "https://corp.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"),
        ({"provider": "databricks", "url": "https://d.cloud.databricks.com", "model": "databricks-claude-opus-5-5"},
         ANTHROPIC, CLAUDE_URL, "https://d.cloud.databricks.com/serving-endpoints/anthropic/v1/messages"),
        ({"provider": "databricks", "url": "https://d.cloud.databricks.com", "model": "databricks-gpt-5"},
         CHAT, CHAT_URL, "https://d.cloud.databricks.com/serving-endpoints/chat/completions"),
        ({"provider": "databricks", "url": "https://d.cloud.databricks.com/ai-gateway/anthropic", "model": "system.ai.claude-x"},
         ANTHROPIC, CLAUDE_URL, "https://d.cloud.databricks.com/ai-gateway/anthropic/v1/messages"),
        ({"provider": "bedrock", "model": "anthropic.claude-opus-4-8", "region": "us-east-1"}, ANTHROPIC, CLAUDE_URL,
         "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages"),
        ({"provider": "bedrock", "model": "us.anthropic.claude-opus-4-8", "region": "us-east-1"}, Format.BEDROCK_INVOKE,
         "/model/us.anthropic.claude-opus-4-8/invoke",
         "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-opus-4-8/invoke"),
        ({"provider": "bedrock", "model": "us.anthropic.claude-opus-4-8", "region": "us-east-1",
          "url": "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com"}, Format.BEDROCK_INVOKE, "/model/m/invoke",
         "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/model/m/invoke"),
        ({"provider": "bedrock", "model": "openai.gpt-oss-120b", "region": "us-east-1", "format": CHAT}, CHAT, CHAT_URL,
         "https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions"),
        ({"provider": "vertex", "model": "claude-opus-5-5", "project": "p"}, Format.VERTEX_ANTHROPIC,
         "/models/claude-opus-5-5:rawPredict",
         "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-5-5:rawPredict"),
        ({"provider": "vertex", "model": "gemini-3.6-flash", "project": "p", "region": "eu"}, GEMINI,
         "/v1beta/models/gemini-3.6-flash:generateContent",
         "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/gemini-3.6-flash:generateContent"),
        ({"provider": "vertex", "model": "claude-opus-5-5", "project": "p", "region": "us-east5", "url": "http://127.0.0.1:9"},
         Format.VERTEX_ANTHROPIC, "/models/claude-opus-5-5:streamRawPredict",
         "http://127.0.0.1:9/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5-5:streamRawPredict"),
        ({"provider": "deepseek", "url": "https://ds.example/anthropic"}, ANTHROPIC, CLAUDE_URL,
         "https://ds.example/anthropic/v1/messages"),
        ({"provider": "moonshot", "url": "https://api.moonshot.cn/v1"}, CHAT, CHAT_URL,
         "https://api.moonshot.cn/v1/chat/completions"),
        ({"provider": "custom", "url": "https://h.example/v1", "format": CHAT}, CHAT, CHAT_URL,
         "https://h.example/v1/chat/completions"),
        ({"provider": "custom", "url": "https://h.example/x", "format": ANTHROPIC}, ANTHROPIC, CLAUDE_URL,
         "https://h.example/x/v1/messages"),
        ({"provider": "llamacpp", "url": "http://h.example:9000/v1"}, ANTHROPIC, CLAUDE_URL,
         "http://h.example:9000/v1/messages"),
    ],
)  # fmt: skip
def test_a_lane_reaches_its_provider_where_that_is(made: dict[str, Any], spoken: Format, target: str, url: str) -> None:
    made = dict(made)
    of = lane(made.pop("provider"), Auth.KEY, **made)
    assert spoken in of.formats
    assert reached(of, spoken, target) == url


@pytest.mark.parametrize(
    ("model", "first"),
    [
        ("anthropic.claude-opus-4-8", ANTHROPIC),
        ("anthropic.claude-haiku-4-5", ANTHROPIC),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", Format.BEDROCK_INVOKE),
        ("eu.anthropic.claude-opus-5-5", Format.BEDROCK_INVOKE),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5-5", Format.BEDROCK_INVOKE),
        ("amazon.nova-pro-v1:0", Format.BEDROCK_CONVERSE),
    ],
)
def test_amazons_name_of_a_model_says_which_of_its_endpoints_has_it(model: str, first: Format) -> None:
    assert lane("bedrock", Auth.KEY, model=model, region="us-east-1").formats[0] is first


def test_each_endpoint_of_amazons_is_signed_for_by_its_own_name() -> None:
    of = lane("bedrock", Auth.KEY, model="anthropic.claude-opus-4-8", region="us-east-1")
    assert way(of, ANTHROPIC).service == "bedrock-mantle"
    assert way(of, Format.BEDROCK_INVOKE).service == "bedrock"


@pytest.mark.parametrize(
    ("made", "lacking"),
    [
        ({"provider": "bedrock"}, ["region", "model"]),
        ({"provider": "bedrock", "model": "amazon.nova-pro-v1:0", "region": "x"}, []),
        ({"provider": "azure-anthropic"}, ["base_url"]),
        ({"provider": "azure-openai", "url": "https://c.example", "api_version": "1"}, ["model"]),
        ({"provider": "vertex", "model": "claude-opus-5-5"}, ["project"]),
        ({"provider": "databricks", "model": "x"}, ["base_url"]),
        ({"provider": "custom"}, ["base_url"]),
        ({"provider": "openai"}, []),
    ],
)
def test_what_an_address_lacks_is_named(made: dict[str, Any], lacking: list[str]) -> None:
    made = dict(made)
    assert missing(lane(made.pop("provider"), Auth.KEY, **made)) == lacking
