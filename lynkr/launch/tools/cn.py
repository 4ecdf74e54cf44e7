"""Continue's command line: a configuration of the session's own, on a lane with a credential. Measured with 1.5.47.

Its own configuration is YAML with addresses of its own, which is left alone: what it names goes past lynkr, and that is
said.
"""

from __future__ import annotations

import json

from lynkr.lane import Format
from lynkr.launch.launch import PLACEHOLDER, Call, Launch

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI)
INSTALL = "npm install -g @continuedev/cli"

# For Google's models it looks at this alone.
_GEMINI = "GOOGLE_GEMINI_BASE_URL"
_COMPETING = ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_VERTEX_BASE_URL")


def launch(call: Call) -> Launch:
    """The launch of Continue."""
    lane = call.lane(*SPEAKS)
    if lane is None or not call.has_own_key(*SPEAKS):
        note = "Continue's own configuration names its addresses, so it goes past lynkr; name a lane with a key"
        return Launch(call.argv, notes=(note,))
    spoken = lane.formats[0]
    claude = spoken in (Format.ANTHROPIC, Format.BEDROCK_INVOKE, Format.VERTEX_ANTHROPIC)
    maker = "anthropic" if claude else "gemini" if spoken is Format.GEMINI else "openai"
    size = {"defaultCompletionOptions": {"contextLength": lane.context}} if lane.context else {}
    model = {
        "name": lane.model or "default",
        "provider": maker,
        "model": lane.model or "default",
        "apiBase": f"{call.url}/v1/",
        "apiKey": PLACEHOLDER,
        "roles": ["chat", "edit", "apply"],
        "capabilities": ["tool_use"],
        **size,
    }
    path = call.folder / "continue.yaml"
    # JSON is YAML, too.
    said = json.dumps({"name": "lynkr", "version": "1.0.0", "schema": "v1", "models": [model]}, indent=1)
    words = (call.argv[0], "--config", str(path), *_without_config(call))
    return Launch(words, {_GEMINI: call.url}, _COMPETING, {path: said})


def _without_config(call: Call) -> list[str]:
    """The user's arguments without --config: of two, the last counts."""
    kept, given = list[str](), list(call.argv[1:])
    while given:
        word = given.pop(0)
        if word == "--config" and given:
            given.pop(0)
        elif not word.startswith("--config="):
            kept.append(word)
    return kept
