"""opencode is pointed at lynkr for the providers that it will ask, however it is told of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lynkr.lane import Auth, Format, Lane
from lynkr.launch.launch import Call
from lynkr.launch.tools import TOOLS

OWN = Lane("main", "anthropic", (Format.ANTHROPIC,), Auth.CLIENT)
KEYED = Lane("main", "openai", (Format.OPENAI_CHAT,), Auth.KEY, model="some-model")


def providers(folder: Path, lane: Lane, *words: str, tool: str = "opencode") -> dict[str, Any]:
    """What the tool is told of providers where it was never set up."""
    call = Call((tool, *words), {}, folder, folder, 1, "s3cr3t", folder / "session", (lane,))
    said: dict[str, Any] = json.loads(TOOLS[tool].launch(call).set[f"{tool.upper()}_CONFIG_CONTENT"])
    return said["provider"]


@pytest.mark.parametrize("tool", ["opencode", "kilo"])
@pytest.mark.parametrize("lane", [OWN, KEYED], ids=["the tool's login", "a key"])
@pytest.mark.parametrize("words", [("--model", "anthropic/x"), ("--model=anthropic/x",), ("-m", "anthropic/x")])
def test_the_provider_of_a_model_that_is_named_goes_through_the_proxy_however_it_is_named(
    tmp_path: Path, words: tuple[str, ...], lane: Lane, tool: str
) -> None:
    found = providers(tmp_path, lane, "run", *words, "list the files", tool=tool)
    assert found["anthropic"]["options"]["baseURL"] == "{env:LYNKR_URL}/v1"
    assert found == providers(tmp_path, lane, "run", "--model", "anthropic/x", "list the files", tool=tool)


@pytest.mark.parametrize("words", [(), ("--", "--model=anthropic/x"), ("--model=elsewhere/x",), ("--models=anthropic/x",)])  # fmt: skip
def test_what_names_none_of_the_known_providers_leads_none_of_them_through_the_proxy(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert providers(tmp_path, OWN, "run", *words) == {}
