"""A profile's file, read and checked whole: a mistake is named with its file, line and key and the nearest right word.

Nothing is guessed and nothing is ignored. Which profile is meant is decided in `profiles`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lynkr.answers.settings import Bypassing, Caching
from lynkr.errors import ConfigError
from lynkr.lane import Auth, Format, Lane, Price
from lynkr.routing import TIERS
from lynkr.routing.settings import WHO, Budget, Routing, Rule
from lynkr.transforms.settings import Settings
from lynkr.upstream.catalog import Provider, check_url, formats, missing
from lynkr.upstream.providers import PROVIDERS

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KEY = re.compile(r"""[A-Za-z0-9_."'*?\[\] -]+""")
_PART = re.compile(r""""[^"]*"|'[^']*'|[^.\s]+""")
# These are written for each connection, or decided for each request.
_OUR_HEADERS = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Profile(NamedTuple):
    """A profile as it was read."""

    name: str
    path: Path
    description: str
    lanes: Mapping[str, Lane]
    tiers: Mapping[str, tuple[str, ...]]
    compress: Settings = Settings()
    routing: Routing = Routing()
    budget: Budget = Budget()
    caching: Caching = Caching()
    bypassing: Bypassing = Bypassing()
    # Whether a tool that can shows a line about the session while it runs.
    status_line: bool = False


def check_name(name: str, what: str = "a profile") -> None:
    """Raises ConfigError unless `name` can be the name of a profile, a lane or a key."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot be {what}'s name; use letters, digits, '_', '-' and '.'")


def check_entry(name: str) -> None:
    """Raises ConfigError unless `name` can be the name of a key; what looks like a key itself is not repeated."""
    if _LIKE_A_KEY.match(name):
        raise ConfigError("this looks like a key itself; give it a name, and the key is asked for: lynkr key set NAME")
    check_name(name, "a key")


def read(path: Path, name: str) -> Profile:
    """The profile in the file `path`. Raises ConfigError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"profile {path} cannot be read: {why}") from error
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"profile {path} is not TOML: {error}") from error
    return Reader(path, name, text).profile(data)


def nearest(word: str, known: list[str]) -> str:
    """What may have been meant, as words in brackets; "" where nothing is near."""
    import difflib  # only a mistake needs it

    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


# Section → key → what it may be: one of some words, a switch, a number (whole, or an amount), a list of names; None is
# read elsewhere.
_SECTIONS: dict[str, dict[str, tuple[str, ...] | type | None]] = {
    "route": {
        "mode": ("tiered", "off"),
        "retries": int,
        "wait_s": float,
        "breaker_failures": int,
        "breaker_rest_s": float,
        "models": dict,
        "rules": None,
    },
    "compress": {
        "tool_results": bool,
        "tool_schemas": bool,
        "terse": ("off", "lite", "full", "ultra"),
        "drop_duplicate_tools": bool,
        "without_tools": list,
        "thin_line_numbers": bool,
    },
    "cache": {"answers": ("off", "exact", "semantic"), "ttl_s": float, "max_mb": float, "keep_warm": int},
    "bypass": {"probes": bool, "titles": bool, "counts": bool},
    "show": {"status_line": bool},
    "budget": {"session_usd": float, "day_usd": float, "month_usd": float, "on_exceed": ("warn", "downgrade", "stop")},
}
_LANE = ("provider", "auth", "model", "base_url", "format", "headers", "timeout_s", "price", "key", "key_env",
         "context", "region", "project", "api_version", "concurrency")  # fmt: skip
# What other programs call the place for a key.
_SECRETS = ("api_key", "apikey", "token", "secret", "password")
_LIKE_A_KEY = re.compile(r"(?:sk-|sk_|AIza|dapi|xai-|gsk_|ya29\.|ABSK)|.{41}")
_RULE = ("who", "model", "words", "path", "tool", "tier", "lane")
_RATES = Price._fields


class Reader(NamedTuple):
    """Reads one profile's data; it keeps the text to be able to say where a mistake stands."""

    path: Path
    name: str
    text: str

    def profile(self, data: dict[str, Any]) -> Profile:
        self._keys(data, ("description", "tiers", "lanes", *_SECTIONS), ())
        description = self._take(data, "description", (), str, "a text") or ""
        lanes = {name: self._lane(name, value) for name, value in self._table(data, "lanes", ()).items()}
        if not lanes:
            raise self.mistake((), "it has no lane; add a section [lanes.NAME] with a provider")
        tiers = self._tiers(self._table(data, "tiers", ()), lanes)
        for section in _SECTIONS:
            self._section(section, self._table(data, section, ()))
        said: dict[str, Any] = data.get("compress", {})
        compress: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}
        return Profile(
            self.name, self.path, description, lanes, tiers, Settings(**compress),
            self._routing(data.get("route", {}), lanes), Budget(**data.get("budget", {})),
            Caching(**data.get("cache", {})), Bypassing(**data.get("bypass", {})), **data.get("show", {}),
        )  # fmt: skip

    def budget(self, data: dict[str, Any]) -> Budget:
        """A budget that stands outside of a profile."""
        self._section("budget", self._table(data, "budget", ()))
        return Budget(**data.get("budget", {}))

    def _routing(self, data: dict[str, Any], lanes: Mapping[str, Lane]) -> Routing:
        """`[route]`, its rules and its models as well."""
        at = ("route", "models")
        models = self._table(data, "models", ("route",))
        for pattern in models:
            self._one_of(models, pattern, at, list(TIERS))
        rules = data.get("rules", [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise self.mistake(("route", "rules"), "a rule is a section [[route.rules]]")
        made = tuple(
            self._replace(text=_only(self.text, "[[route.rules]]", number))._rule(number, rule, lanes)
            for number, rule in enumerate(rules, 1)
        )
        return Routing(**{**data, "models": models, "rules": made})

    def _rule(self, number: int, data: dict[str, Any], lanes: Mapping[str, Lane]) -> Rule:
        at = ("route", "rules")
        self._keys(data, _RULE, at)
        words = data.get("words", [])
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise self.mistake((*at, "words"), 'it must be a list of words, such as ["migration"]')
        texts = {key: self._take(data, key, at, str, "a pattern in quotes") for key in ("model", "path", "tool")}
        tier, lane = self._one_of(data, "tier", at, list(TIERS)), self._one_of(data, "lane", at, list(lanes))
        who = self._one_of(data, "who", at, list(WHO))
        if (tier is None) == (lane is None):
            raise self.mistake(at, f"rule {number} needs a tier or a lane to send things to, and not both")
        if who is None and not words and not any(texts.values()):
            raise self.mistake(at, f"rule {number} says nothing of what it is for: who, model, words, path or tool")
        return Rule(number, tier, lane, who, texts["model"], tuple(words), texts["path"], texts["tool"])

    def _section(self, name: str, data: dict[str, Any]) -> None:
        self._keys(data, tuple(_SECTIONS[name]), (name,))
        for key, kind in _SECTIONS[name].items():
            if isinstance(kind, tuple):
                self._one_of(data, key, (name,), list(kind))
            elif kind is float:
                self._positive(data, key, (name,))
            elif kind is int:
                self._whole(data, key, (name,), least=0, what="a whole number, 0 or more")
            elif kind is None or kind is dict:
                continue  # read where its words are known
            elif kind is list:
                names = data.get(key, [])
                if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
                    raise self.mistake((name, key), 'it must be a list of names, such as ["mcp__jira__*"]')
            elif not isinstance(data.get(key, False), bool):
                raise self.mistake((name, key), "it must be true or false")

    def _tiers(self, data: dict[str, Any], lanes: Mapping[str, Lane]) -> dict[str, tuple[str, ...]]:
        self._keys(data, TIERS, ("tiers",))
        tiers = {}
        for tier, named in data.items():
            if not isinstance(named, list) or not all(isinstance(lane, str) for lane in named):
                raise self.mistake(("tiers", tier), 'it must be a list of lanes, such as ["local"]')
            for lane in named:
                if lane not in lanes:
                    raise self.mistake(("tiers", tier), f"there is no lane {lane!r}{nearest(lane, list(lanes))}")
            tiers[tier] = tuple(named)
        return tiers

    def _lane(self, name: str, data: object) -> Lane:
        at = ("lanes", name)
        if not _NAME.fullmatch(name):
            raise self.mistake(at, "a lane's name has letters, digits, '_', '-' and '.' only")
        if not isinstance(data, dict):
            raise self.mistake(at, "a lane is a section [lanes.NAME]")
        self._keys(data, _LANE, at)
        provider = self._one_of(data, "provider", at, list(PROVIDERS))
        if provider is None:
            raise self.mistake(at, f"it needs a provider: {', '.join(PROVIDERS)}")
        spoken = self._one_of(data, "format", at, [str(name) for name in Format])
        base_url = self._take(data, "base_url", at, str, "a URL")
        if base_url is not None:
            check_url(base_url, self._place((*at, "base_url")) + " base_url")
        headers = self._table(data, "headers", at)
        for header, value in headers.items():
            one_line = isinstance(value, str) and value.isprintable() and value.isascii() and value == value.strip()
            if not _HEADER.fullmatch(header) or not one_line:
                raise self.mistake((*at, "headers", header), "a header is a name and a text of one line")
            if header.lower() in _OUR_HEADERS:
                raise self.mistake((*at, "headers", header), "lynkr writes this header itself")
        entry, model = PROVIDERS[provider], self._take(data, "model", at, str, "a name in quotes")
        version = self._take(data, "api_version", at, str, "a date in quotes")
        said = Format(spoken) if spoken else None
        lane = Lane(
            name=name,
            provider=provider,
            formats=formats(provider, model, base_url, version, said),
            auth=self._auth(data, at, entry),
            base_url=base_url.rstrip("/") if base_url else None,
            model=model,
            key=self._entry(data, at),
            key_env=self._take(data, "key_env", at, str, "a variable's name in quotes"),
            headers=headers,
            timeout_s=self._positive(data, "timeout_s", at),
            price=self._price(data, at),
            context=self._whole(data, "context", at),
            region=self._take(data, "region", at, str, "a name in quotes") or entry.region,
            project=self._take(data, "project", at, str, "a name in quotes"),
            api_version=version,
            concurrency=self._whole(data, "concurrency", at, what="a number of requests"),
        )
        return self._addressed(lane, entry, said, at)

    def _addressed(self, lane: Lane, entry: Provider, said: Format | None, at: tuple[str, ...]) -> Lane:
        """The lane, if its provider can be found with what it says."""
        examples = {
            "base_url": f'base_url = "{entry.example}"',
            "region": 'region = "us-east-1"',
            "project": 'project = "my-project"',
            "model": 'a model = "…" of this provider',
        }
        if lacking := missing(lane):
            raise self.mistake(at, f"provider {entry.name!r} needs {' and '.join(examples[name] for name in lacking)}")
        if entry.name == "custom" and said is None:
            raise self.mistake(at, f"provider 'custom' needs a format: {', '.join(Format)}")
        if lane.api_version is not None and not any(way.query for way in entry.ways):
            raise self.mistake((*at, "api_version"), f"provider {entry.name!r} has no API versions to choose from")
        return lane

    def _auth(self, data: dict[str, Any], at: tuple[str, ...], entry: Provider) -> Auth:
        said = self._one_of(data, "auth", at, [str(name) for name in Auth])
        named = data.get("key") or data.get("key_env")
        if said is None:
            return Auth.KEY if named and entry.auth is not Auth.CLIENT else entry.auth
        auth = Auth(said)
        if entry.auth is Auth.CLIENT and auth is not Auth.CLIENT:
            why = 'is the login of the tool itself, which lynkr never holds; use provider "anthropic" for an API key'
            raise self.mistake((*at, "auth"), f"provider {entry.name!r} {why}")
        if auth is Auth.CLOUD and not entry.cloud:
            clouds = ", ".join(name for name, provider in PROVIDERS.items() if provider.cloud)
            raise self.mistake((*at, "auth"), f"provider {entry.name!r} is no cloud with a login; these are: {clouds}")
        return auth

    def _entry(self, data: dict[str, Any], at: tuple[str, ...]) -> str | None:
        """The name of a keyring entry; what looks like a key is not repeated."""
        name = self._take(data, "key", at, str, "a name in quotes")
        if name is None:
            return None
        if _LIKE_A_KEY.match(name):
            way = 'store it with: lynkr key set NAME, and say key = "NAME"'
            raise self.mistake((*at, "key"), f"this looks like a key itself, and not like the name of one; {way}")
        if not _NAME.fullmatch(name):
            raise self.mistake((*at, "key"), "a key's name has letters, digits, '_', '-' and '.' only")
        return str(name)

    def _price(self, data: dict[str, Any], at: tuple[str, ...]) -> Price | None:
        if "price" not in data:
            return None
        at, rates = (*at, "price"), self._table(data, "price", at)
        self._keys(rates, _RATES, at)
        for name, rate in rates.items():
            if not _is_number(rate) or rate < 0:
                raise self.mistake((*at, name), "a price is a number of USD per million tokens")
        if missing := [name for name in ("input", "output") if name not in rates]:
            raise self.mistake(at, f"it needs {' and '.join(missing)}, in USD per million tokens")
        return Price(**{name: float(rate) for name, rate in rates.items()})

    def _positive(self, data: dict[str, Any], key: str, at: tuple[str, ...]) -> float | None:
        value = data.get(key)
        if value is None:
            return None
        if not _is_number(value) or value <= 0:
            raise self.mistake((*at, key), "it must be a number above 0")
        return float(value)

    def _whole(
        self, data: dict[str, Any], key: str, at: tuple[str, ...], least: int = 1, what: str = "a number of tokens"
    ) -> int | None:
        value = data.get(key)
        if value is not None and (not _is_number(value) or value != int(value) or value < least):
            raise self.mistake((*at, key), f"it must be {what}")
        return None if value is None else int(value)

    def _take(self, data: dict[str, Any], key: str, at: tuple[str, ...], kind: type, what: str) -> Any:
        value = data.get(key)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise self.mistake((*at, key), f"it must be {what}")
        return value

    def _one_of(self, data: dict[str, Any], key: str, at: tuple[str, ...], known: list[str]) -> str | None:
        value = self._take(data, key, at, str, "one of " + ", ".join(known))
        if value is not None and value not in known:
            hint = nearest(value, known)
            raise self.mistake((*at, key), f"{value!r} is not known here{hint}; it can be {', '.join(known)}")
        return value  # type: ignore[no-any-return]

    def _table(self, data: dict[str, Any], key: str, at: tuple[str, ...]) -> dict[str, Any]:
        value = data.get(key, {})
        if not isinstance(value, dict):
            raise self.mistake((*at, key), f"it must be a section [{'.'.join((*at, key))}]")
        return value

    def _keys(self, data: dict[str, Any], known: tuple[str, ...], at: tuple[str, ...]) -> None:
        for key in data:
            if key in _SECRETS and "provider" in known:
                way = 'store it with: lynkr key set NAME, and say key = "NAME"'
                raise self.mistake((*at, key), f"a profile holds no keys; {way}")
            if key not in known:
                hint = nearest(key, list(known)) or f"; known: {', '.join(known)}"
                raise self.mistake((*at, key), f"there is no such key{hint}")

    def mistake(self, at: tuple[str, ...], what: str) -> ConfigError:
        """The error that names the place of a mistake."""
        return ConfigError(f"{self._place(at)} {'.'.join(at)}: {what}" if at else f"{self.path}: {what}")

    def _place(self, at: tuple[str, ...]) -> str:
        line = line_of(self.text, at)
        return f"{self.path}:{line}:" if line else f"{self.path}:"


def _is_number(value: object) -> bool:
    """Whether it is a number that can be reckoned with: TOML has nan, inf and integers of any length."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15


def line_of(text: str, at: tuple[str, ...]) -> int | None:
    """The line on which the key `at` stands in TOML `text`, or the nearest section that holds it."""
    section: tuple[str, ...] = ()
    best: tuple[int, int | None] = (0, None)
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if header := re.match(r"\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?$", line):
            section = _key(header[1])
            found = section
        elif "=" in line and _KEY.fullmatch(assigned := line.partition("=")[0]):
            found = section + _key(assigned)
        else:
            continue
        depth = len(found) if at[: len(found)] == found else 0
        if depth > best[0]:
            best = (depth, number)
    return best[1]


def _only(text: str, header: str, number: int) -> str:
    """`text` with nothing left of the sections under `header` but the one with that number, line by line."""
    kept, seen, within = list[str](), 0, False
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            within = line.strip().startswith(header)
            seen += within
        kept.append("" if within and seen != number else line)
    return "\n".join(kept)


def _key(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(text))
