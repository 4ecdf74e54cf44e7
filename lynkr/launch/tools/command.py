"""Any command that reads the usual base-URL variables, such as a program that uses a vendor's SDK."""

from __future__ import annotations

from lynkr.errors import ConfigError
from lynkr.lane import Format
from lynkr.launch.launch import PLACEHOLDER, Call, Launch

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI)
INSTALL = ""

# variable → (what it adds to the proxy's URL, the provider whose base URL it is); SDKs of OpenAI want the /v1.
_URLS = {
    "ANTHROPIC_BASE_URL": ("", "anthropic"),
    "OPENAI_BASE_URL": ("/v1", "openai"),
    "OPENAI_API_BASE": ("/v1", "openai"),
    "GOOGLE_GEMINI_BASE_URL": ("", "gemini"),
}
# An SDK refuses to start without a key, also where the lane has its own.
_KEYS = {
    "ANTHROPIC_API_KEY": Format.ANTHROPIC,
    "OPENAI_API_KEY": Format.OPENAI_CHAT,
    "GEMINI_API_KEY": Format.GEMINI,
}


def launch(call: Call) -> Launch:
    """Points every variable at the proxy; what they said before is where `direct` sends things. Raises ConfigError."""
    one, other = (call.environ.get(name, "").rstrip("/") for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"))
    if one and other and one != other and not call.has_own_key(Format.OPENAI_CHAT):
        raise ConfigError(
            "OPENAI_BASE_URL and OPENAI_API_BASE name different addresses; unset the one that is not meant"
        )
    origins = {}
    for name, (_, provider) in reversed(_URLS.items()):
        if before := call.environ.get(name):
            origins[provider] = before.rstrip("/")
    placeholders = {
        name: PLACEHOLDER
        for name, spoken in _KEYS.items()
        if call.has_own_key(spoken) or (spoken is Format.OPENAI_CHAT and call.has_own_key(Format.OPENAI_RESPONSES))
    }
    urls = {name: call.url + tail for name, (tail, _) in _URLS.items()}
    return Launch(argv=call.argv, set={**urls, **placeholders}, origins=origins)
