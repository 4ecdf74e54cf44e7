"""What `lynkr doctor` looks at: each finding says how things stand and, where they do not, how to mend them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from lynkr import __version__, credentials, profiles
from lynkr.credentials import FoundCredential
from lynkr.errors import ConfigError, LynkrError
from lynkr.health import Healths
from lynkr.lane import Auth, Lane
from lynkr.launch.child import is_first, shims, version, which
from lynkr.launch.tools import TOOLS
from lynkr.ledger.prices import table
from lynkr.ledger.store import Ledger
from lynkr.local import look
from lynkr.paths import Paths
from lynkr.plan import NOT_FOR_THIS, Options, preview, without_credentials
from lynkr.probe import probe
from lynkr.profile import Profile
from lynkr.secrets.store import Store

State = Literal["ok", "note", "wrong"]
_OLD_PRICES_DAYS = 90
_LARGE_LEDGER = 1_000_000_000
TERMS = "https://code.claude.com/docs/en/legal-and-compliance"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` is what to do about it, where there is something to do."""

    area: str
    name: str
    state: State
    says: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Doctor:
    """Looks at one user's machine. `say` tells what takes its time."""

    where: Paths
    environ: Mapping[str, str]
    folder: Path
    store: Store
    say: Callable[[str], None]

    def findings(self, *, live: bool = False) -> Iterator[Finding]:
        """Everything, in the order in which it matters. `live` sends a word down each lane."""
        python = ".".join(map(str, sys.version_info[:3]))
        yield Finding("lynkr", "version", "ok", f"lynkr {__version__} on Python {python}")
        profile, found = self._profile()
        yield from found
        if profile is not None:
            yield from self._lanes(profile, live=live)
        yield from self._tools(profile)
        yield from self._servers()
        yield self._keyring()
        yield from self._shims()
        yield self._ledger()
        yield _prices()

    def _profile(self) -> tuple[Profile | None, list[Finding]]:
        try:
            choice = profiles.chosen(None, self.environ, self.folder, self.where)
            profile = profiles.choose(None, self.environ, self.folder, self.where)
        except ConfigError as error:
            mend = "mend it there, or name another profile there"
            return None, [Finding("profile", "profile", "wrong", error.sentence, mend)]
        says = f"{choice.name}, because of: {choice.source} ({profile.path})"
        found = [Finding("profile", choice.name, "ok", says)]
        return profile, found

    def _lanes(self, profile: Profile, *, live: bool) -> Iterator[Finding]:
        for lane in profile.lanes.values():
            try:
                held = credentials.find(lane, self.store, self.environ)
            except ConfigError as error:
                yield Finding("lane", lane.name, "wrong", *_split(error.sentence))
                continue
            where = f"{lane.provider}, {lane.model or 'the model that the tool asks for'}, {held.source}"
            yield Finding("lane", lane.name, "ok", where)
            if lane.provider == "claude" or (lane.provider == "anthropic" and lane.auth is Auth.CLIENT):
                says = f"a subscription's login is for Claude Code itself, within Anthropic's terms: {TERMS}"
                yield Finding("lane", lane.name, "note", says)
            health, now = Healths(self.where.healths, time.time).of(lane), time.time()
            if health.state(now) == "open":
                says = f"rests for {health.until - now:.0f} s more: {health.failures} failures, the last: {health.why}"
                yield Finding("lane", lane.name, "note", says)
            if live:
                yield self._live(lane, held, profile.name)

    def _live(self, lane: Lane, held: FoundCredential, profile: str) -> Finding:
        if lane.auth is Auth.CLIENT:
            return Finding("lane", lane.name, "note", "not tried: only the tool has its credential")
        self.say(f"asking {lane.provider} ({lane.name}) …")
        found = probe(lane, held.credential, self.environ)
        if found.problem is None:
            return Finding("lane", lane.name, "ok", f"it serves, in {found.ms:.0f} ms")
        mend = "start its server, or check the lane's base_url"
        if found.status in (401, 403) and lane.auth is Auth.KEY:
            mend = f"store another key: lynkr key set {credentials.kept_as(lane)}"
        elif found.status is not None:
            mend = f"look at the lane: lynkr profile show {profile}"
        return Finding("lane", lane.name, "wrong", found.problem, mend)

    def _tools(self, profile: Profile | None) -> Iterator[Finding]:
        search = self.environ.get("PATH", os.defpath)
        found = {name: path for name in TOOLS if (path := which(name, search))}
        with ThreadPoolExecutor(4) as pool:
            versions = dict(zip(found, pool.map(version, found.values()), strict=True))
        for name, path in found.items():
            if versions[name] is None:
                yield Finding(
                    "tool", name, "wrong", f"{path} does not start", f"install it again: {TOOLS[name].INSTALL}"
                )
                continue
            yield Finding("tool", name, "ok", f"{name} {versions[name]} ({path})")
            if profile is not None:
                yield from self._bypassed(name)
        if not found:
            says = "none of the tools that lynkr knows is on PATH"
            yield Finding("tool", "tools", "note", says, f"for example: {TOOLS['claude'].INSTALL}")

    def _bypassed(self, name: str) -> Iterator[Finding]:
        """What of the user's own settings would lead a tool past the proxy, or keep it from starting."""
        try:
            launch, _ = preview(without_credentials(Options((name,), environ=self.environ, nested=True)))
        except LynkrError as error:
            # That a profile is not for every tool is what it is for.
            state: State = "note" if error.kind == NOT_FOR_THIS else "wrong"
            yield Finding("tool", name, state, *_split(error.sentence))
            return
        for note in launch.notes:
            yield Finding("tool", name, "note", note)

    def _servers(self) -> Iterator[Finding]:
        servers = look(self.environ)
        for server in servers:
            models = ", ".join(server.models[:6]) + (", …" if len(server.models) > 6 else "")
            yield Finding("local", server.provider, "ok", f"answers at {server.url}: {models or 'no model loaded'}")
        if not servers:
            yield Finding("local", "servers", "note", "no Ollama, llama.cpp, LM Studio or vLLM answers on this machine")

    def _keyring(self) -> Finding:
        ring = self.store.ring()
        if ring is not None and not self.store.readable():
            mend = "unlock it, or keep keys in an encrypted file: lynkr key set NAME --file"
            return Finding("keyring", "keyring", "wrong", self.store.problem, mend)
        try:
            count = len(self.store.names())
        except ConfigError as error:
            return Finding("keyring", "file", "wrong", *_split(error.sentence))
        if ring is not None:
            kind = type(ring).__module__.removeprefix("keyring.backends.")
            return Finding("keyring", "keyring", "ok", f"{kind} keeps keys ({count} of lynkr's)")
        if self.store.path.exists():
            return Finding("keyring", "file", "ok", f"{count} keys are in the encrypted file {self.store.path}")
        mend = "lynkr key set NAME --file keeps them in an encrypted file; variables work as well"
        return Finding("keyring", "keyring", "note", self.store.problem, mend)

    def _shims(self) -> Iterator[Finding]:
        for path in shims(self.where.shims):
            if is_first(path, self.environ.get("PATH", os.defpath)):
                yield Finding("shim", path.stem, "ok", f"{path.stem} runs through lynkr")
            else:
                mend = f'put it first: export PATH="{self.where.shims}:$PATH"'
                yield Finding("shim", path.stem, "wrong", f"{path} is not what a shell finds first", mend)

    def _ledger(self) -> Finding:
        path = self.where.ledger
        if not path.exists():
            return Finding("ledger", "ledger", "note", f"no session yet ({path})")
        if not os.access(path, os.W_OK):
            return Finding("ledger", "ledger", "wrong", f"{path} cannot be written", f"chmod u+w {path}")
        try:
            with Ledger(path) as ledger:
                held = ledger.held()
        except LynkrError as error:
            return Finding("ledger", "ledger", "wrong", *_split(error.sentence))
        says = f"{path}, {held.bytes / 1e6:.1f} MB: {held.requests:,} requests of {held.sessions:,} sessions"
        if held.bytes > _LARGE_LEDGER:
            return Finding("ledger", "ledger", "note", says, "lynkr ledger prune --older-than 180d")
        return Finding("ledger", "ledger", "ok", says)


def _prices() -> Finding:
    prices = table()
    days = (datetime.now(UTC).date() - date.fromisoformat(prices.date)).days
    says = f"prices of {prices.date}, {len(prices.models)} models"
    if days > _OLD_PRICES_DAYS:
        return Finding("prices", "prices", "note", f"{says}, {days} days old", "upgrade lynkr for newer ones")
    return Finding("prices", "prices", "ok", says)


def _split(sentence: str) -> tuple[str, str]:
    """What is wrong, and the way out that a sentence of ours ends in."""
    for mark in ("): ", "; ", ": "):
        what, found, mend = sentence.partition(mark)
        if found:
            return what + mark[0].removesuffix(";").removesuffix(":"), mend
    return sentence, ""


def worst(findings: list[Finding]) -> State:
    """The worst of the states."""
    states = {finding.state for finding in findings}
    return "wrong" if "wrong" in states else "note" if "note" in states else "ok"
