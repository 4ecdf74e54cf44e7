"""Continue's command line: a configuration of the session's own, on a lane with a credential. Measured with 1.5.47.

Its own configuration is YAML with addresses of its own, which is left alone: what it names goes past lynkr, and that is
said.
"""

from __future__ import annotations

import json

from lynkr.lane import Format
from lynkr.launch.launch import PLACEHOLDER, Call, Launch, dialect
from lynkr.launch.tools.reading import without

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI)
INSTALL = "npm install -g @continuedev/cli"

# For Google's models it looks at this alone.
_GEMINI = "GOOGLE_GEMINI_BASE_URL"
# How it calls whoever speaks a format.
_MAKERS = {Format.ANTHROPIC: "anthropic", Format.GEMINI: "gemini", Format.OPENAI_CHAT: "openai"}
_COMPETING = ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_VERTEX_BASE_URL")


def launch(call: Call) -> Launch:
    """The launch of Continue."""
    if (lane := call.own_lane(*SPEAKS)) is None:
        note = "Continue's own configuration names its addresses, so it goes past lynkr; name a lane with a key"
        return Launch(call.argv, notes=(note,))
    maker = _MAKERS[dialect(lane, _MAKERS)]
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
    # Of two, the last counts.
    words = (call.argv[0], "--config", str(path), *without(call.argv[1:], "--config")[0])
    return Launch(words, {_GEMINI: call.url}, _COMPETING, {path: said})
