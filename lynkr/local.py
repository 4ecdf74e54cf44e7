"""Model servers on this machine, found by looking at the ports that they take by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from lynkr.errors import UpstreamError
from lynkr.lane import Auth, Lane
from lynkr.upstream.ask import Told, ask
from lynkr.upstream.catalog import Address, entry

SERVERS = ("ollama", "llamacpp", "lmstudio", "vllm")
_PATIENCE_S = 1.5


@dataclass(frozen=True, slots=True)
class Local:
    """A server that answers. `models` are those that it holds."""

    provider: str
    url: str
    models: tuple[str, ...]


def look(environ: Mapping[str, str]) -> list[Local]:
    """The servers that answer now, in the catalog's order."""
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        found = pool.map(lambda name: _look(name, environ), SERVERS)
        return [server for server in found if server is not None]


def base_of(provider: str, environ: Mapping[str, str]) -> str:
    """Where a server is: its usual port, or, for Ollama, where OLLAMA_HOST says."""
    there = entry(provider).ways[0]
    told = environ.get("OLLAMA_HOST", "").strip() if provider == "ollama" else ""
    if not told:
        return there.host + there.path
    told = told if "://" in told else f"http://{told}"
    try:
        parts = urlsplit(told)
        host, port = parts.hostname or "127.0.0.1", parts.port or 11434
    except ValueError:
        return there.host
    # What a server listens at is not always where it can be reached.
    return f"{parts.scheme}://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104


def _look(provider: str, environ: Mapping[str, str]) -> Local | None:
    base = base_of(provider, environ)
    parts = urlsplit(base)
    path = "/api/tags" if provider == "ollama" else parts.path + "/models"
    where = Address(parts.scheme, parts.hostname or "", parts.port, path)
    lane = Lane(provider, provider, entry(provider).formats, Auth.NONE)
    try:
        told = ask(lane, where, "GET", [(b"Accept", b"application/json")], environ=environ, timeout_s=_PATIENCE_S)
    except UpstreamError:
        return None
    key, name = ("models", "name") if provider == "ollama" else ("data", "id")
    entries = told.json.get(key)
    if told.status != 200 or not isinstance(entries, list) or not _is(provider, told):
        return None
    models = tuple(str(model[name]) for model in entries if isinstance(model, dict) and model.get(name))
    return Local(provider, base, models)


def _is(provider: str, told: Told) -> bool:
    """Whether it is that server: all but Ollama answer alike, and their ports are popular."""
    owners = {str(model.get("owned_by")) for model in told.json.get("data", []) if isinstance(model, dict)}
    match provider:
        case "llamacpp":
            return "llamacpp" in owners or told.headers.get("server", "").startswith("llama.cpp")
        case "vllm":
            return "vllm" in owners
        case "lmstudio":
            return "organization_owner" in owners or not owners
    return True
