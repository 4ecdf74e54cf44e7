"""Where a lane's requests go: the endpoints of its provider, joined with the lane's own address and the client's path.

A base URL follows the vendor's own SDK: Anthropic's without `/v1`, OpenAI's with it. Of providers whose customers each
have a host of their own (Azure, Databricks, AWS, Google) the host alone will do.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from lynkr.errors import ConfigError
from lynkr.lane import Auth, Format, Lane

_OPENAI = (Format.OPENAI_CHAT, Format.OPENAI_RESPONSES)
_VERSION = re.compile(r"/v1(?:alpha|beta)?(?=[/?]|$)")


class Way(NamedTuple):
    """One endpoint of a provider.

    `host` (scheme and all) and `path` are its base URL; `{region}`, `{project}`, `{model}` and `{google}` stand there
    for what the lane says. `carries` are the headers that hold the key; without any, the format's own. `models` is a
    pattern of the models that are served there. `named` says that it is used only where the profile names its format
    or API version. `service` is AWS's name of it, which a signature holds; `query` is added to every request's.
    """

    formats: tuple[Format, ...]
    host: str = ""
    path: str = ""
    carries: tuple[str, ...] = ()
    models: str = ""
    named: bool = False
    service: str = ""
    query: str = ""

    def serves(self, model: str | None) -> bool:
        """Whether `model` can be had here."""
        return not self.models or re.search(self.models, model or "") is not None


class Provider(NamedTuple):
    """An entry of the catalog.

    `key_env` are the variables that the vendor's own SDK reads a key from; with none, and no `cloud`, it asks for no
    key. `cloud` is the login that serves where there is no key, `scope` what Entra ID is asked for. `needs_model` says
    that the names of models are its own. `whole_host` says that each customer has a host, which is completed by the
    endpoint's path; `example` is one. `region` is what a lane has that names none. `elsewhere` maps a request header to
    the base URL that requests which carry it belong to. `only_for` names the one tool that may use it, `origin` the
    provider whose address a tool's own settings change for it. `console` is where keys are made.
    """

    name: str
    ways: tuple[Way, ...]
    key_env: tuple[str, ...] = ()
    auth: Auth = Auth.KEY
    cloud: str = ""
    scope: str = ""
    needs_model: bool = False
    whole_host: bool = False
    example: str = ""
    region: str | None = None
    elsewhere: Mapping[str, str] = MappingProxyType({})
    only_for: str = ""
    origin: str = ""
    console: str = ""

    @property
    def formats(self) -> tuple[Format, ...]:
        """All formats that it speaks, the preferred one first."""
        return tuple(dict.fromkeys(spoken for way in self.ways for spoken in way.formats))


def ways(lane: Lane) -> tuple[Way, ...]:
    """The endpoints that a lane can use."""
    return _ways(lane.provider, lane.model, lane.base_url, lane.formats, lane.api_version)


def way(lane: Lane, spoken: Format | None) -> Way:
    """The endpoint for what speaks `spoken`; for anything else, the first."""
    found = ways(lane)
    return next((way for way in found if spoken in way.formats), found[0])


def formats(provider: str, model: str | None, base_url: str | None = None, api_version: str | None = None,
            said: Format | None = None) -> tuple[Format, ...]:  # fmt: skip
    """The formats in which `model` is spoken to at `provider`, the preferred one first."""
    if said is not None:
        return (said,)
    found = _ways(provider, model, base_url, (), api_version)
    return tuple(dict.fromkeys(spoken for way in found for spoken in way.formats))


@lru_cache(maxsize=256)
def _ways(
    name: str, model: str | None, base_url: str | None, only: tuple[Format, ...], api_version: str | None
) -> tuple[Way, ...]:
    provider = entry(name)
    known = tuple(way for way in provider.ways if way.serves(model)) or provider.ways
    known = tuple(way for way in known if not only or set(only) & set(way.formats))
    if not known and only:
        known = tuple(way for way in provider.ways if set(only) & set(way.formats)) or (Way(only),)
    if api_version is not None and (dated := tuple(way for way in known if way.query)):
        return dated
    path = urlsplit(base_url).path.rstrip("/") if base_url else ""
    if path and (meant := tuple(way for way in known if way.path and path.endswith(way.path))):
        return meant
    found = tuple(way for way in known if not way.named) or known
    # A path that is none of these is the first one's, at another place.
    return found[:1] if path else found


def missing(lane: Lane) -> list[str]:
    """What its provider's address needs and the lane does not say: names of a lane's keys."""
    there = ways(lane)
    places = "".join(way.path + way.query + ("" if lane.base_url else way.host) for way in there)
    found = [name for name in ("region", "project") if f"{{{name}}}" in places and getattr(lane, name) is None]
    if "{google}" in places and lane.region is None:
        found.append("region")
    if not lane.base_url and not there[0].host:
        found.append("base_url")
    if lane.model is None and (entry(lane.provider).needs_model or "{model}" in places):
        found.append("model")
    return found


@lru_cache(maxsize=256)
def entry(provider: str) -> Provider:
    """The catalog's entry."""
    from lynkr.upstream.providers import PROVIDERS  # which is made of what stands here

    return PROVIDERS[provider]


# Scheme, host and port.
Origin = tuple[str, str, int | None]


class Address(NamedTuple):
    """Where one request goes: `scheme://host[:port]` and the request target."""

    scheme: str
    host: str
    port: int | None
    target: str

    @property
    def origin(self) -> Origin:
        """All of it but the target."""
        return self[:3]

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (None, {"http": 80, "https": 443}[self.scheme]) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole of it."""
        return f"{self.scheme}://{self.authority}{self.target}"


def base_url(lane: Lane, spoken: Format | None, origins: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The base URL that `lane` sends a request to that speaks `spoken` and has `headers`.

    Its own, if it names one. Else, if the credential is the tool's, where the tool would have sent it (`origins`, by
    provider). Else the provider's.
    """
    provider, there = entry(lane.provider), way(lane, spoken)
    if lane.base_url:
        if provider.whole_host and not _taken_apart(lane.base_url)[3]:
            return lane.base_url.rstrip("/") + _filled(there.path, lane)
        return lane.base_url
    if lane.auth is Auth.CLIENT:
        if origin := origins.get(provider.origin or provider.name):
            return origin
        for header, url in provider.elsewhere.items():
            if header in headers:
                return url
    return _filled(there.host + there.path, lane)


def _filled(text: str, lane: Lane) -> str:
    if "{" not in text:
        return text
    region = lane.region or ""
    named = {"{region}": region, "{project}": lane.project or "", "{model}": quote(lane.model or "", safe="")}
    named |= {"{google}": _google_host(region), "{api_version}": quote(lane.api_version or "", safe="")}
    for name, value in named.items():
        text = text.replace(name, value)
    return text


def _google_host(region: str) -> str:
    if region in ("us", "eu"):
        return f"aiplatform.{region}.rep.googleapis.com"
    return "aiplatform.googleapis.com" if region == "global" else f"{region}-aiplatform.googleapis.com"


def address(lane: Lane, spoken: Format | None, base: str, target: str) -> Address:
    """The address of a client's `target` (path and query as they stood after the secret) under `base`."""
    there = way(lane, spoken)
    scheme, host, port, path = _taken_apart(base)
    if version := _VERSION.match(target):
        # OpenAI's base URLs and Google's cloud hold the version; elsewhere a base URL may, and need not.
        openai = spoken in _OPENAI and version[0] == "/v1"
        if openai or "{google}" in there.host or path.endswith(version[0]):
            target = target[version.end() :]
    if there.query:
        target += ("&" if "?" in target else "?") + _filled(there.query, lane)
    return Address(scheme, host, port, (path + target) or "/")


@lru_cache(maxsize=64)
def _taken_apart(base: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(base)
    return parts.scheme, parts.hostname or "", parts.port, parts.path.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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
