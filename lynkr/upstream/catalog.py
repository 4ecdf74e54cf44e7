"""Providers as data: where each lives, what it speaks, where its key is kept.

A base URL follows the vendor's own SDK: Anthropic's without `/v1`, OpenAI's with it; `prefix` is the part of a client's
path that the base URL already holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lynkr.errors import ConfigError
from lynkr.lane import Auth, Format, Lane


@dataclass(frozen=True, slots=True)
class Provider:
    """An entry of the catalog.

    `key_env` are the variables that the vendor's own SDK reads a key from; none means that it asks for no key.
    `elsewhere` maps a request header to the base URL that requests which carry it belong to.
    """

    name: str
    base_url: str
    formats: tuple[Format, ...]
    key_env: tuple[str, ...]
    prefix: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)


_CHAT = (Format.OPENAI_CHAT,)
_ALL_THREE = (Format.OPENAI_CHAT, Format.ANTHROPIC, Format.OPENAI_RESPONSES)
# Stands in a base URL for the lane's region.
REGION = "{region}"

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider("anthropic", "https://api.anthropic.com", (Format.ANTHROPIC,), ("ANTHROPIC_API_KEY",)),
        Provider(
            "openai",
            "https://api.openai.com/v1",
            (Format.OPENAI_RESPONSES, Format.OPENAI_CHAT),
            ("OPENAI_API_KEY",),
            prefix="/v1",
            # A ChatGPT login is honoured by ChatGPT's own backend only; Codex marks such requests with the account.
            elsewhere={"chatgpt-account-id": "https://chatgpt.com/backend-api/codex"},
        ),
        Provider(
            "gemini",
            "https://generativelanguage.googleapis.com",
            (Format.GEMINI,),
            ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ),
        # Servers on this machine, at the ports that they take by themselves; Anthropic's format stands beside OpenAI's.
        Provider("ollama", "http://127.0.0.1:11434", (Format.OLLAMA,), ()),
        Provider("llamacpp", "http://127.0.0.1:8080/v1", _ALL_THREE, (), prefix="/v1"),
        Provider("lmstudio", "http://127.0.0.1:1234/v1", _ALL_THREE, (), prefix="/v1"),
        Provider("vllm", "http://127.0.0.1:8000/v1", _ALL_THREE, (), prefix="/v1"),
        # Those who speak like OpenAI; what else they speak elsewhere, a lane's `base_url` and `format` reach.
        Provider("openrouter", "https://openrouter.ai/api/v1", _ALL_THREE, ("OPENROUTER_API_KEY",), prefix="/v1"),
        Provider("deepseek", "https://api.deepseek.com/v1", _CHAT, ("DEEPSEEK_API_KEY",), prefix="/v1"),
        Provider("moonshot", "https://api.moonshot.ai/v1", _CHAT, ("MOONSHOT_API_KEY",), prefix="/v1"),
        Provider("zai", "https://api.z.ai/api/paas/v4", _CHAT, ("ZAI_API_KEY",), prefix="/v1"),
        Provider("minimax", "https://api.minimax.io/v1", _CHAT, ("MINIMAX_API_KEY",), prefix="/v1"),
        Provider("groq", "https://api.groq.com/openai/v1", _CHAT, ("GROQ_API_KEY",), prefix="/v1"),
        Provider("xai", "https://api.x.ai/v1", _CHAT, ("XAI_API_KEY",), prefix="/v1"),
        Provider("mistral", "https://api.mistral.ai/v1", _CHAT, ("MISTRAL_API_KEY",), prefix="/v1"),
        Provider(
            "bedrock",
            "https://bedrock-runtime.{region}.amazonaws.com",
            (Format.BEDROCK_INVOKE, Format.BEDROCK_CONVERSE),
            ("AWS_BEARER_TOKEN_BEDROCK",),
        ),
    )
}


def formats(provider: str, model: str | None) -> tuple[Format, ...]:
    """The formats in which `model` is spoken to at `provider`, the preferred one first."""
    known = PROVIDERS[provider].formats
    if Format.BEDROCK_INVOKE in known and model is not None and "claude" not in model and "anthropic" not in model:
        # InvokeModel takes each maker's own format; only Claude's is known here.
        return tuple(spoken for spoken in known if spoken is not Format.BEDROCK_INVOKE)
    return known


OWN_HOSTS = frozenset(
    urlsplit(url).hostname
    for provider in PROVIDERS.values()
    for url in (provider.base_url, *provider.elsewhere.values())
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where one request goes: `scheme://host[:port]` and the request target."""

    scheme: str
    host: str
    port: int | None
    target: str

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (None, {"http": 80, "https": 443}[self.scheme]) else f"{host}:{self.port}"


def base_url(lane: Lane, origins: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The base URL that `lane` sends a request with `headers` to.

    Its own, if it names one. Else, if the credential is the tool's, where the tool would have sent it (`origins`, by
    provider). Else the provider's.
    """
    provider = PROVIDERS[lane.provider]
    if lane.base_url:
        return lane.base_url
    if lane.auth is Auth.CLIENT:
        if provider.name in origins:
            return origins[provider.name]
        for header, url in provider.elsewhere.items():
            if header in headers:
                return url
    return provider.base_url.replace(REGION, lane.region or "")


def address(lane: Lane, base: str, target: str) -> Address:
    """The address of a client's `target` (path and query as they stood after the secret) under `base`."""
    parts = urlsplit(base)
    prefix = PROVIDERS[lane.provider].prefix
    if prefix and (target == prefix or target.startswith((prefix + "/", prefix + "?"))):
        target = target[len(prefix) :]
    path = parts.path.rstrip("/") + target
    return Address(parts.scheme, parts.hostname or "", parts.port, path or "/")


def check_url(url: str, what: str) -> None:
    """Raises ConfigError unless `url` is an absolute http(s) URL that can be a base."""
    try:
        parts = urlsplit(url)
        right = parts.port != 0 and parts.scheme in ("http", "https") and bool(parts.hostname)
        right = right and not (parts.query or parts.fragment or parts.username)
        right = right and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        right = False
    if not right:
        raise ConfigError(f"{what} = {url!r} is no base URL; it must look like https://host[:port][/path]")
