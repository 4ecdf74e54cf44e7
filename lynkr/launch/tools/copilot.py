"""GitHub Copilot's command line, with a provider of one's own: variables only.

Measured with 1.0.102. With a GitHub login it talks to GitHub's own backend, which cannot be led through lynkr; that is
said, and it is left alone. On a lane with a credential of its own no login is needed.
"""

from __future__ import annotations

from lynkr.lane import Format
from lynkr.launch.launch import PLACEHOLDER, Call, Launch, dialect

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_RESPONSES, Format.OPENAI_CHAT)
INSTALL = "npm install -g @github/copilot"

_BASE, _TYPE = "COPILOT_PROVIDER_BASE_URL", "COPILOT_PROVIDER_TYPE"
# HTTP and not a WebSocket, which cannot be read on its way.
_HTTP = {"COPILOT_PROVIDER_TRANSPORT": "http"}
# Each would bring another key, header, model or provider.
_COMPETING = (
    "COPILOT_PROVIDER_API_KEY_COMMAND", "COPILOT_PROVIDER_BEARER_TOKEN", "COPILOT_PROVIDER_HEADERS",
    "COPILOT_PROVIDER_WIRE_MODEL", "COPILOT_PROVIDER_GHES_HOST", "COPILOT_PROVIDERS_CONFIG",
)  # fmt: skip


def launch(call: Call) -> Launch:
    """The launch of Copilot."""
    if (lane := call.own_lane(*SPEAKS)) is None:
        base, kind = call.environ.get(_BASE, "").rstrip("/"), call.environ.get(_TYPE, "openai")
        if not base or kind not in ("openai", "anthropic"):
            return Launch(call.argv, notes=("Copilot's own login goes to GitHub, past lynkr; name a lane with a key",))
        tail = "/v1" if kind == "openai" else ""
        return Launch(call.argv, {_BASE: call.url + tail, **_HTTP}, origins={kind: base})
    spoken = dialect(lane, SPEAKS)
    claude, responses = spoken is Format.ANTHROPIC, spoken is Format.OPENAI_RESPONSES
    said = {
        _BASE: call.url + ("" if claude else "/v1"),
        _TYPE: "anthropic" if claude else "openai",
        "COPILOT_PROVIDER_WIRE_API": "responses" if responses else "completions",
        "COPILOT_PROVIDER_API_KEY": PLACEHOLDER,
        **_HTTP,
    }
    if lane.model:
        said["COPILOT_MODEL"] = lane.model
    if lane.context:
        said["COPILOT_PROVIDER_MAX_PROMPT_TOKENS"] = str(lane.context)
    return Launch(call.argv, said, _COMPETING)
