"""How much fits is asked of Ollama until it tells, where the profile does not say, and every request names it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from loops import loop
from proxied import ask, proxy
from scripts import Asked, Script, upstream, whole

from lynkr.lane import Auth, Format, Lane
from lynkr.upstream.ollama import USUAL, size_of

MODEL = "qwen3:8b"
BODY = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
SHOWN = {"model_info": {"general.architecture": "qwen3", "qwen3.context_length": 16_384}, "parameters": "stop x"}


def server(loaded: list[dict[str, Any]], shown: dict[str, Any] | None) -> Script:
    """An Ollama that holds models, `loaded` of them in memory, as docs.ollama.com describes it."""
    says = loop("none", {})["ollama"]

    def script(asked: Asked) -> Any:
        if asked.path == "/api/ps":
            return whole({"models": loaded})
        if asked.path == "/api/show":
            assert asked.json == {"model": MODEL}
            return whole({"error": "model not found"}, 404) if shown is None else whole(shown)
        return says(asked)

    return script


def sizes(loaded: list[dict[str, Any]], shown: dict[str, Any] | None, context: int | None = None) -> list[Any]:
    """What two requests of a session said of the context, and the paths that were asked."""
    with upstream(server(loaded, shown)) as up:
        lane = Lane("main", "ollama", (Format.OLLAMA,), Auth.NONE, up.url, MODEL, context=context)
        with proxy(lane) as lynkr:
            for _ in range(2):
                assert ask(lynkr.port, "/v1/messages", json.dumps(BODY).encode()).status == 200
        asked = up.asked
    said = [one.json["options"].get("num_ctx") for one in asked if one.path == "/api/chat"]
    assert len(said) == 2
    return [*dict.fromkeys(said), [one.path for one in asked if one.path != "/api/chat"]]


def test_a_model_that_is_loaded_keeps_its_size() -> None:
    loaded = [{"name": "other", "context_length": 1}, {"name": MODEL, "context_length": 8192}]
    assert sizes(loaded, SHOWN) == [8192, ["/api/ps"]]


def test_one_that_is_not_gets_what_it_can_and_is_asked_for_once() -> None:
    assert sizes([], SHOWN) == [16_384, ["/api/ps", "/api/show"]]


def test_the_profile_counts_before_both() -> None:
    assert sizes([{"name": MODEL, "context_length": 8192}], SHOWN, context=4096) == [4096, []]


def test_an_ollama_that_does_not_tell_is_spoken_to_all_the_same() -> None:
    assert sizes([], None) == [None, ["/api/ps", "/api/show"] * 2]


def test_one_that_could_not_tell_at_first_is_asked_again_and_its_first_word_stays() -> None:
    with upstream(server([], None)) as up:
        with proxy(Lane("main", "ollama", (Format.OLLAMA,), Auth.NONE, up.url, MODEL)) as lynkr:
            for script in (up.script, server([], SHOWN), server([{"name": MODEL, "context_length": 8192}], SHOWN)):
                up.script = script
                assert ask(lynkr.port, "/v1/messages", json.dumps(BODY).encode()).status == 200
        asked = up.asked
    assert [one.json["options"].get("num_ctx") for one in asked if one.path == "/api/chat"] == [None, 16_384, 16_384]
    assert [one.path for one in asked if one.path != "/api/chat"] == ["/api/ps", "/api/show"] * 2


@pytest.mark.parametrize(
    ("shown", "size"),
    [
        (SHOWN, 16_384),
        ({"model_info": {"llama.context_length": 131_072}}, USUAL),
        ({"model_info": {"llama.context_length": 131_072}, "parameters": "stop x\nnum_ctx   65536\n"}, 65_536),
        ({"model_info": {"general.architecture": "x"}}, None),
        ({"model_info": [], "parameters": None}, None),
        ({}, None),
    ],
)
def test_what_show_tells(shown: dict[str, Any], size: int | None) -> None:
    assert size_of(shown) == size
