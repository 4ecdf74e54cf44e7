"""A path says which format is spoken, whether it is metered, and, at Gemini, which model; what is unknown is tunnelled."""

from __future__ import annotations

import pytest

from lynkr.formats import CODECS, CREDENTIAL_HEADERS, SPEECHES, Match, match, resembling
from lynkr.lane import Format


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/messages", Match(Format.ANTHROPIC, True, None)),
        ("/v1/messages/count_tokens", Match(Format.ANTHROPIC, False, None)),
        ("/v1/chat/completions", Match(Format.OPENAI_CHAT, True, None)),
        ("/v1/responses", Match(Format.OPENAI_RESPONSES, True, None)),
        ("/v1/responses/input_tokens", Match(Format.OPENAI_RESPONSES, False, None)),
        ("/v1beta/models/gemini-2.5-flash:generateContent", Match(Format.GEMINI, True, "gemini-2.5-flash")),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", Match(Format.GEMINI, True, "gemini-2.5-flash")),
        ("/v1/models/gemini-3:generateContent", Match(Format.GEMINI, True, "gemini-3")),
        ("/v1alpha/models/gemini-3:generateContent", Match(Format.GEMINI, True, "gemini-3")),
        # A name of another provider's, which clients put into the path as it is.
        ("/v1beta/models/some/odd:model:generateContent", Match(Format.GEMINI, True, "some/odd:model")),
        ("/v1beta/models/gemini-3:countTokens", Match(Format.GEMINI, False, None)),
    ],
)
def test_a_known_path_has_a_format(path: str, found: Match) -> None:
    assert match("POST", path) == found


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"])
def test_only_a_post_is_asked_for_an_answer(method: str) -> None:
    assert match(method, "/v1/messages") is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1/models",
        "/v1/messages/",
        "/v1/messages/batches",
        "/v1/messagesx",
        "/x/v1/messages",
        "/v1/responses/resp_1",
        "/v1/responses/compact",
        "/v1/completions",
        "/v1/embeddings",
        "/v1beta/models/gemini-3",
        "/v1beta/models/gemini-3:embedContent",
        "/v1/messages\n",
    ],
)
def test_any_other_path_is_only_tunnelled(path: str) -> None:
    assert match("POST", path) is None


@pytest.mark.parametrize(
    ("path", "headers", "house"),
    [
        ("/v1/models", ["anthropic-version"], Format.ANTHROPIC),
        ("/v1/models", ["x-api-key"], Format.ANTHROPIC),
        ("/v1/models", ["anthropic-beta"], Format.ANTHROPIC),
        ("/v1/models", ["openai-project"], Format.OPENAI_RESPONSES),
        ("/v1/models", ["authorization"], None),
        ("/v1/models", [], None),
        ("/v1/oauth/token", [], None),
        ("/", [], None),
        ("/v1/embeddings", [], Format.OPENAI_RESPONSES),
        ("/v1/messages/batches", [], Format.ANTHROPIC),
        ("/api/oauth/profile", ["authorization"], Format.ANTHROPIC),
        ("/v1/chat/completions/chatcmpl-1", [], Format.OPENAI_RESPONSES),
        ("/v1/responses/resp_1", [], Format.OPENAI_RESPONSES),
        ("/v1beta/models", [], Format.GEMINI),
        ("/v1alpha/models", ["authorization"], Format.GEMINI),
        ("/v1/models", ["x-goog-api-key"], Format.GEMINI),
    ],
)
def test_a_path_without_a_format_belongs_to_the_house_of_its_prefix_and_headers(
    path: str, headers: list[str], house: Format | None
) -> None:
    assert resembling(path, dict.fromkeys(headers, "x")) is house


@pytest.mark.parametrize(
    ("header", "value", "house"),
    [
        ("authorization", "Bearer sk-ant-oat01-x", Format.ANTHROPIC),
        ("authorization", "Bearer sk-proj-x", Format.OPENAI_RESPONSES),
        ("authorization", "Bearer eyJhbGciOi", None),
        ("user-agent", "Anthropic/Python 2.11.0", Format.ANTHROPIC),
        ("user-agent", "AsyncOpenAI/Python 3.52.0", Format.OPENAI_RESPONSES),
        ("user-agent", "curl/8.0", None),
    ],
)
def test_a_key_or_a_client_says_whose_request_it_is_and_nothing_is_guessed(
    header: str, value: str, house: Format | None
) -> None:
    assert resembling("/v1/files", {header: value}) is house


def test_every_format_has_a_codec_that_knows_its_name() -> None:
    assert set(SPEECHES) == set(Format)
    assert set(CODECS) == {Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI}
    assert all(codec.NAME is name for name, codec in (SPEECHES | CODECS).items())


def test_every_format_matches_a_path_of_its_own_and_no_other_ones() -> None:
    paths = ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1beta/models/m:generateContent"]
    owners = [[name for name, codec in CODECS.items() if codec.PATHS.fullmatch(path)] for path in paths]
    assert owners == [[Format.ANTHROPIC], [Format.OPENAI_CHAT], [Format.OPENAI_RESPONSES], [Format.GEMINI]]


def test_the_credentials_of_every_format_are_taken_off() -> None:
    assert {
        "authorization",
        "x-api-key",
        "x-goog-api-key",
        "api-key",
        "cookie",
        "chatgpt-account-id",
    } <= CREDENTIAL_HEADERS
    assert all(name == name.lower() for name in CREDENTIAL_HEADERS)
