"""`lynkr key`: store, list, remove and test keys."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lynkr.cli.complete import key_names, profile_names
from lynkr.cli.speak import asking, paint, say, show
from lynkr.errors import ConfigError, UsageError
from lynkr.paths import paths

if TYPE_CHECKING:
    from lynkr.lane import Lane
    from lynkr.probe import Probed
    from lynkr.secrets.store import Store

_NAME = click.argument("name", shell_complete=key_names)


@click.group(name="key", short_help="Store, list, remove and test keys.")
def command() -> None:
    """Keys live in the OS keyring, under the name that a lane's `key` says; without one, the provider's.

    On a machine without a keyring they can live in a file that is encrypted with a passphrase, or in environment
    variables. lynkr never writes a key to a file that can be read.
    """


@command.command(name="set", short_help="Store a key, from a prompt or stdin.")
@_NAME
@click.argument("more", nargs=-1, metavar="")
@click.option("--file", "to_file", is_flag=True, help="In the encrypted file, for machines without a keyring.")
def set_(name: str, more: tuple[str, ...], to_file: bool) -> None:
    """Store the key NAME. It is asked for without an echo, or read from stdin; never from an argument, which every
    user of this machine can see."""
    from lynkr.profile import check_entry
    from lynkr.secrets import Key

    if more:
        # It is not repeated: it may be a key.
        raise UsageError("a key is never an argument, which others can see; leave it out, and it is asked for")
    check_entry(name)
    store = _store()
    if not to_file and store.ring() is None and not store.path.exists():
        raise ConfigError(store.no_ring(name))
    ask = asking() if sys.stdin.isatty() else None
    text = ask(f"the key {name!r}{_where_from(name)}") if ask else sys.stdin.readline()
    key = Key.read(text, "what was given")
    if key is None:
        raise ConfigError("no key was given; nothing was stored")
    place = store.keep(name, key, to_file=to_file)
    say(f"key {name!r} is stored in {place}; try it with: lynkr key test {name}")
    if (first := store.place(name)) not in (None, place):
        say(f"{first} has a key {name!r} too, and counts first; lynkr key rm {name} takes both away")


@command.command(name="list", short_help="The names of keys, and where each is found.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(as_json: bool) -> None:
    """The keys that lynkr has stored and those that your profiles name: where each is found, and who uses it. No key is
    shown."""
    store = _store()
    users = _users()
    rows: list[dict[str, Any]] = []
    for name in sorted({*store.names(), *users}):
        lanes = users.get(name, [])
        variables = [v for lane in lanes for v in _variables(lane) if os.environ.get(v)]
        place = store.place(name)
        found = place or (variables[0] if variables else None)
        rows.append({"name": name, "found": found, "stored": place is not None, "lanes": [lane.name for lane in lanes]})
    if as_json:
        show([json.dumps(rows, indent=1)])
        return
    if not rows:
        show(["No key yet. Store one: lynkr key set NAME, such as: lynkr key set anthropic"])
    wide = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        used = f"  used by {', '.join(dict.fromkeys(row['lanes']))}" if row["lanes"] else ""
        where = row["found"] or f"missing; store it: lynkr key set {row['name']}"
        show([f"{paint(row['name'].ljust(wide), 'bold')}  {where}{used}"])
    if store.problem:
        say(store.problem)


@command.command(short_help="Forget a key.")
@_NAME
def rm(name: str) -> None:
    """Take the key NAME out of the keyring and the encrypted file."""
    from lynkr.profile import check_entry

    check_entry(name)
    if not _store().forget(name):
        raise ConfigError(f"there is no key {name!r} that lynkr has stored; lynkr key list shows them")
    say(f"key {name!r} is forgotten")


@command.command(short_help="Try a key with the cheapest call there is.")
@_NAME
@click.option(
    "-p", "--profile", metavar="NAME", shell_complete=profile_names, help="The profile whose lanes are tried."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def test(name: str, profile: str | None, as_json: bool) -> int:
    """Send one short word down each lane that uses the key NAME, and say what that cost.

    Those are the lanes of --profile, or where none is named, of the profile in use, or else of all of yours. Where no
    lane uses it, the provider of that name is asked for its list of models, which is free.
    """
    from lynkr.profile import check_entry

    check_entry(name)
    lanes, store = _tried(name, profile), _store()
    rows, failed = [], False
    for lane in lanes:
        row = _test(lane, store)
        failed = failed or row["problem"] is not None
        rows.append(row)
        if not as_json:
            usd = row["cost_usd"]
            cost = "at a cost that is not known" if usd is None else f"${usd:.6f}" if usd else "free of charge"
            mark = "does not serve" if row["problem"] else f"serves, in {row['ms']:.0f} ms, {cost}"
            say(f"lane {lane.name} ({lane.provider}, {lane.model or 'list of models'}, {row['source']}) {mark}"
                + (f": {row['problem']}" if row["problem"] else ""))  # fmt: skip
    if as_json:
        show([json.dumps(rows, indent=1)])
    return 1 if failed else 0


def _test(lane: Lane, store: Store) -> dict[str, Any]:
    from lynkr import credentials
    from lynkr.ledger.meter import Meter
    from lynkr.ledger.prices import table
    from lynkr.probe import probe
    from lynkr.usage import Heard

    held = credentials.find(lane, store, os.environ)
    say(f"asking {lane.provider} …")
    found: Probed = probe(lane, held.credential, os.environ)
    usd: float | None = 0.0  # nothing was said, or a list was looked at
    if found.problem is None and lane.model is not None:
        heard = Heard(found.usage, final=True)
        usd = Meter(table()).count(heard, lane, lane.model, None, 0).cost_usd if found.usage else None
    return {"lane": lane.name, "provider": lane.provider, "model": lane.model, "source": held.source, "ms": found.ms,
            "status": found.status, "problem": found.problem, "cost_usd": usd}  # fmt: skip


def _tried(name: str, profile: str | None) -> list[Lane]:
    """The lanes to try for a key: those of the profile that use it, or one of the provider of that name."""
    from lynkr import credentials, profiles
    from lynkr.lane import Auth, Lane
    from lynkr.upstream.providers import PROVIDERS

    chosen = profiles.choose(profile, os.environ, Path.cwd(), paths(os.environ))
    lanes = [ln for ln in chosen.lanes.values() if ln.auth is not Auth.CLIENT and credentials.kept_as(ln) == name]
    if profile is None:
        lanes = lanes or _users().get(name, [])
    if lanes:
        return lanes
    entry = PROVIDERS.get(name)
    if entry is not None and entry.key_env and all(way.host and "{" not in way.host for way in entry.ways):
        return [Lane(name, name, entry.formats, Auth.KEY)]
    raise ConfigError(f"no lane of your profiles uses a key {name!r}, so it cannot be tried; lynkr key list shows them")


def _users() -> dict[str, list[Lane]]:
    """The lanes of the user's own profiles, and of the one in use, by the key that they use."""
    from lynkr import credentials, profiles
    from lynkr.lane import Auth

    where = paths(os.environ)
    found: dict[str, list[Lane]] = {}
    try:
        chosen = profiles.chosen(None, os.environ, Path.cwd(), where).name
    except ConfigError as error:
        chosen = ""
        say(error.sentence)
    for name in profiles.names(where):
        path = profiles.find(name, where)
        if path is None or (path.parent != where.profiles and name != chosen):
            continue
        try:
            lanes = profiles.load(name, where).lanes.values()
        except ConfigError as error:
            say(error.sentence)
            continue
        for lane in lanes:
            if lane.auth is Auth.KEY:
                found.setdefault(credentials.kept_as(lane), []).append(lane)
    return found


def _variables(lane: Lane) -> tuple[str, ...]:
    from lynkr import credentials

    return credentials.variables(lane)


def _where_from(name: str) -> str:
    from lynkr.upstream.providers import PROVIDERS

    entry = PROVIDERS.get(name)
    return f" (made at {entry.console})" if entry and entry.console else ""


def _store() -> Store:
    from lynkr.secrets.store import Store

    return Store(paths(os.environ), os.environ, say, asking())
