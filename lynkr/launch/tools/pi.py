"""pi: an extension of the session's own that says where its providers are. Measured with 0.73.1."""

from __future__ import annotations

from lynkr.lane import Format, Lane
from lynkr.launch.launch import PLACEHOLDER, Call, Launch

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_RESPONSES)
INSTALL = "npm install -g @mariozechner/pi-coding-agent"

# It reads the address from the environment, so that the file holds no secret.
_EXTENSION = """\
export default function (pi) {
  const url = process.env.LYNKR_URL;
  const key = %s;
  pi.registerProvider("anthropic", { baseUrl: url, ...key });
  pi.registerProvider("openai", { baseUrl: url + "/v1", ...key });
}
"""


def launch(call: Call) -> Launch:
    """The launch of pi."""
    lane = call.lane(*SPEAKS)
    own_key = lane is not None and call.has_own_key(*SPEAKS)
    path = call.folder / "lynkr.ts"
    words = ["-e", str(path)]
    if lane is not None and own_key:
        words += _model(call, lane)
    keys = {"ANTHROPIC_API_KEY": PLACEHOLDER, "OPENAI_API_KEY": PLACEHOLDER} if own_key else {}
    said = f'{{ apiKey: "{PLACEHOLDER}" }}' if own_key else "{}"
    return Launch((call.argv[0], *words, *call.argv[1:]), keys, files={path: _EXTENSION % said})


def _model(call: Call, lane: Lane) -> list[str]:
    """A model that pi knows, unless the user names one: the proxy puts the lane's in its place."""
    if any(word.partition("=")[0] in ("--model", "--models", "--provider") for word in call.argv[1:]):
        return []
    claude = Format.OPENAI_RESPONSES not in lane.formats[:1]
    return ["--model", "anthropic/claude-sonnet-4-5" if claude else "openai/gpt-5"]
