"""Continue's command line: a configuration of the session's own on a lane with a credential. Measured with 1.5.47."""

from __future__ import annotations

import json

from lynkr.lane import Format
from lynkr.launch.launch import PLACEHOLDER, Call, Launch

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES)
INSTALL = "npm install -g @continuedev/cli"


def launch(call: Call) -> Launch:
    """The launch of Continue."""
    lane = call.lane(*SPEAKS)
    if lane is None or not call.has_own_key(*SPEAKS):
        return Launch(call.argv, notes=("Continue's own configuration names its addresses; it goes past lynkr",))
    claude = lane.formats[0] in (Format.ANTHROPIC, Format.BEDROCK_INVOKE, Format.VERTEX_ANTHROPIC)
    model = {
        "name": lane.model or "default",
        "provider": "anthropic" if claude else "openai",
        "model": lane.model or "default",
        "apiBase": f"{call.url}/v1/",
        "apiKey": PLACEHOLDER,
        "roles": ["chat", "edit", "apply"],
        "capabilities": ["tool_use"],
    }
    path = call.folder / "continue.yaml"
    # JSON is YAML, too.
    said = json.dumps({"name": "lynkr", "version": "1.0.0", "schema": "v1", "models": [model]}, indent=1)
    return Launch((call.argv[0], "--config", str(path), *call.argv[1:]), files={path: said})
