"""pi: an extension of the session's own that says where its providers are. Measured with 0.73.1.

It takes the address from the environment, so that the file holds no secret. On a lane with a credential it adds a
provider with the lane's model, because pi takes no name of a model that it does not know.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lynkr.lane import Format, Lane
from lynkr.launch.launch import PLACEHOLDER, Call, Launch, dialect
from lynkr.launch.tools.reading import jsonc, table, text

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_RESPONSES, Format.OPENAI_CHAT, Format.GEMINI)
INSTALL = "npm install -g @mariozechner/pi-coding-agent"

# Its name of a provider → (ours, what its base URL ends in, the variable of its key).
_KNOWN = {
    "anthropic": ("anthropic", "", "ANTHROPIC_API_KEY"),
    "openai": ("openai", "/v1", "OPENAI_API_KEY"),
    "google": ("gemini", "/v1beta", "GEMINI_API_KEY"),
}
# How it speaks a format, and what the base URL ends in.
_APIS = {
    Format.ANTHROPIC: ("anthropic-messages", ""),
    Format.OPENAI_RESPONSES: ("openai-responses", "/v1"),
    Format.OPENAI_CHAT: ("openai-completions", "/v1"),
    Format.GEMINI: ("google-generative-ai", "/v1beta"),
}
OURS = "lynkr"
# They are commands only as the first word, and talk to no model.
_COMMANDS = ("install", "remove", "uninstall", "update", "list", "config")


def launch(call: Call) -> Launch:
    """The launch of pi."""
    if len(call.argv) > 1 and call.argv[1] in _COMMANDS:
        return Launch(call.argv)
    lane = call.own_lane(*SPEAKS)
    path = call.folder / "lynkr.js"
    words, set_, lines = ["-e", str(path)], dict[str, str](), list[str]()
    origins: dict[str, str] = {}
    for their, (ours, tail, variable) in _KNOWN.items():
        said: dict[str, Any] = {}
        if lane is not None:
            said = {"apiKey": PLACEHOLDER}
            set_[variable] = PLACEHOLDER
        elif base := _base(call, their):
            origins[ours] = base.removesuffix("/v1").removesuffix("/v1beta") if ours != "openai" else base
        lines.append(_registered(their, tail, said))
    if lane is not None:
        api, tail = _APIS[dialect(lane, _APIS)]
        lines.append(
            _registered(OURS, tail, {"name": OURS, "api": api, "apiKey": PLACEHOLDER, "models": [_model(lane)]})
        )
        words += [] if _names_a_model(call) else ["--model", f"{OURS}/{lane.model or 'default'}"]
    # Once more when the session begins: behind the user's own extensions.
    body = "".join(lines)
    script = f"export default function (pi) {{\n  const set = () => {{\n{body}  }};\n  set();\n"
    script += '  pi.on("session_start", set);\n}\n'
    return Launch((call.argv[0], *words, *call.argv[1:]), set_, files={path: script}, origins=origins)


def _registered(name: str, tail: str, said: dict[str, Any]) -> str:
    fields = json.dumps(said)[1:-1]
    return f'  pi.registerProvider("{name}", {{ baseUrl: process.env.LYNKR_URL + "{tail}", {fields} }});\n'


def _model(lane: Lane) -> dict[str, Any]:
    """The lane's model, as far as pi has to know it; what it costs is for lynkr to say."""
    free = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    name = lane.model or "default"
    return {"id": name, "name": name, "reasoning": False, "input": ["text", "image"], "cost": free,
            "contextWindow": lane.context or 128_000, "maxTokens": 16_384}  # fmt: skip


def _names_a_model(call: Call) -> bool:
    return any(word.partition("=")[0] in ("--model", "--models", "--provider") for word in call.argv[1:])


def _base(call: Call, provider: str) -> str:
    """The address that the user has given a provider of pi's."""
    folder = Path(call.environ.get("PI_CODING_AGENT_DIR") or call.home / ".pi" / "agent")
    entry = table(table(jsonc(text(folder / "models.json")).get("providers")).get(provider))
    return str(entry.get("baseUrl") or "").rstrip("/")
