"""What a session is going to be: profile, lanes, keys, tool and launch, looked at before anything starts.

Everything that can be wrong is found here, so that `run` has only the world to fear.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from lynkr import credentials, profiles
from lynkr.credentials import FoundCredential
from lynkr.errors import ClientError, ConfigError, UsageError
from lynkr.lane import Auth, Format, Lane
from lynkr.launch.child import locate
from lynkr.launch.launch import Call, Launch, child_environment
from lynkr.launch.tools import ANY, TOOLS, Tool
from lynkr.paths import Paths, home_folder, paths
from lynkr.profile import Profile, nearest
from lynkr.routing import TIERS
from lynkr.routing.router import Router, router
from lynkr.routing.settings import Budget
from lynkr.secrets import Key
from lynkr.secrets.store import PASSPHRASE, Store
from lynkr.transforms.settings import OFF, Settings
from lynkr.upstream.catalog import base_url, check_url, entry

# Kind of the error that a profile has no lane for this tool, and is not meant to.
NOT_FOR_THIS = "not_for_this_tool"


class Options(NamedTuple):
    """What `lynkr run` was asked for. `as_command` says that the words stood after `--`."""

    words: tuple[str, ...]
    as_command: bool = False
    profile: str | None = None
    lane: str | None = None
    tier: str | None = None
    report: Path | None = None
    quiet: bool = False
    nested: bool = False
    compress: bool = True
    budget: float | None = None
    status_line: bool = False
    # For no tool at all: what `lynkr serve` begins with.
    standing: bool = False
    environ: Mapping[str, str] = os.environ
    # A profile made in memory, and the name the report gives the tool: for `lynkr demo`.
    made: Profile | None = None
    tool_name: str | None = None


class Plan(NamedTuple):
    """A session that could begin: everything that can be wrong beforehand has been looked at."""

    options: Options
    profile: Profile
    router: Router
    held: Mapping[str, FoundCredential]
    tool: Tool
    tool_name: str
    argv: tuple[str, ...]
    where: Paths
    # What the user is told at the start.
    notes: tuple[str, ...] = ()

    @property
    def budget(self) -> Budget:
        """What may be spent: `--budget` says it of the session, the profile and the nearest .lynkr.toml of the rest."""
        given = self.options.budget
        return self.profile.budget if given is None else self.profile.budget._replace(session_usd=given)

    @property
    def compress(self) -> Settings:
        """What may be changed of requests; nothing with `--no-compress`."""
        return self.profile.compress if self.options.compress else OFF

    @property
    def status_line(self) -> bool:
        """Whether a line about the session is shown while it runs."""
        return self.options.status_line or self.profile.status_line

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variables that hold a key of a lane: by their name, or by what is in them."""
        keys = [held.credential for held in self.held.values() if isinstance(held.credential, Key)]
        lanes = self.profile.lanes.values()
        named = {name for lane in lanes if lane.auth is Auth.KEY for name in credentials.variables(lane)}
        named |= {name for lane in lanes for name in credentials.OF_LOGINS.get(entry(lane.provider).cloud, ())}
        environ = self.options.environ.items()
        return (PASSPHRASE, *named, *(name for name, value in environ if any(key.is_in(value) for key in keys)))


def plan(options: Options, say: Callable[[str], None], ask: Callable[[str], str] | None = None) -> Plan:
    """Looks at everything that can be wrong before it starts. Raises LynkrError.

    `say` tells the user what takes its time, `ask` asks for a passphrase; None where nobody can be asked.
    """
    planned = without_credentials(options)
    store = Store(planned.where, options.environ, say, ask)
    needed = reachable(planned.router, planned.tool)
    held = {lane.name: credentials.find(lane, store, options.environ) for lane in needed}
    notes, without = list[str](), list[str]()
    for lane in planned.router.lanes:
        if lane.name in held or not any(map(lane.format_for, planned.tool.SPEAKS)):
            continue
        try:
            held[lane.name] = credentials.find(lane, store, options.environ)
        except ConfigError as error:
            # The session can do without: it only stands behind others.
            without.append(lane.name)
            notes.append(f"lane '{lane.name}' cannot step in for others in this session: {error.sentence}")
    usable = {lane.name for spoken in planned.tool.SPEAKS for lane in _serving(planned.router, spoken)}
    notes += [
        f"lane '{lane.name}' cannot step in for others: it needs the tool's own login, and '{needed[0].name}' has a key"
        for lane in planned.router.lanes
        if lane.auth is Auth.CLIENT and lane.name not in usable and set(lane.formats) & set(planned.tool.SPEAKS)
    ]
    kept = planned.router.only([lane for lane in planned.router.lanes if lane.name not in without])
    return planned._replace(held=held, router=kept, notes=tuple(notes))


def without_credentials(options: Options) -> Plan:
    """The same, but for the keys."""
    if not options.words and not options.standing:
        raise UsageError("say what to run: lynkr run claude, or lynkr run -- COMMAND")
    if options.environ.get("LYNKR_SESSION") and not options.nested and not options.standing:
        raise UsageError(
            "this already runs inside a lynkr session; run the tool as it is, or say --nested for a proxy in a proxy"
        )
    where = paths(options.environ)
    profile = options.made or profiles.choose(options.profile, options.environ, cwd(), where)
    if options.lane is not None and options.lane not in profile.lanes:
        raise ConfigError(
            f"profile {profile.name!r} has no lane {options.lane!r}; it has {', '.join(profile.lanes)} ({profile.path})"
        )
    if options.tier is not None and not profile.tiers.get(options.tier):
        known = ", ".join(profile.tiers) or "none"
        raise ConfigError(f"profile {profile.name!r} has no lanes for the tier {options.tier!r}; it has: {known}")
    tool_name, tool = _tool(options)
    made = router(profile.lanes, profile.tiers, profile.routing, lane=options.lane, tier=options.tier)
    chosen = _allowed(made, tool_name)
    _check_spoken(tool_name, tool, chosen)
    name = options.tool_name or tool_name
    argv = () if options.standing else (locate(options.words[0], options.environ, tool.INSTALL), *options.words[1:])
    return Plan(options, profile, chosen, {}, tool, name, argv, where)


def for_past(options: Options, tool_name: str) -> Plan:
    """What a profile would have served a tool's requests with: without its credentials, and without the tool. Raises
    ConfigError where it has no lane for them."""
    profile = options.made
    assert profile is not None
    tool = TOOLS[tool_name]
    chosen = _allowed(router(profile.lanes, profile.tiers, profile.routing), tool_name)
    _check_spoken(tool_name, tool, chosen)
    return Plan(options, profile, chosen, {}, tool, tool_name, (), paths(options.environ))


def cwd() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigError(f"the current directory cannot be used: {error.strerror}") from error


def _tool(options: Options) -> tuple[str, Tool]:
    if options.standing:
        return "serve", ANY
    name = Path(options.words[0]).name
    if name in TOOLS:
        return name, TOOLS[name]
    if options.as_command:
        return name, ANY
    raise UsageError(
        f"{name!r} is not a tool that lynkr knows ({', '.join(TOOLS)}){nearest(name, list(TOOLS))}. "
        f"For any command that reads the usual base-URL variables: lynkr run -- {' '.join(options.words)}"
    )


def _allowed(chosen: Router, tool: str) -> Router:
    """Without the lanes that are for another tool alone. Raises ConfigError where none is left."""
    lanes = [lane for lane in chosen.lanes if entry(lane.provider).only_for in ("", tool)]
    if not lanes:
        raise ConfigError(
            f"lane {chosen.lanes[0].name!r} is a Claude subscription, which is for Claude Code alone; for {tool} name "
            f"a lane with a key, or run it with --profile direct",
            kind=NOT_FOR_THIS,
        )
    return chosen.only(lanes)


def _check_spoken(name: str, tool: Tool, chosen: Router) -> None:
    """Raises ConfigError where no lane can serve what the tool speaks: better now than at its first request."""
    spoken = tool.SPEAKS
    serving = [lane for lane in chosen.lanes if any(map(lane.format_for, spoken))]
    if not serving:
        lanes = "; ".join(f"{lane.name} speaks {', '.join(lane.formats)}" for lane in chosen.lanes)
        raise ConfigError(
            f"{name} speaks {', '.join(spoken)}; the lanes of the profile speak other formats with the tool's own "
            f"credential, which would mean nothing there ({lanes}); give a lane a key of its own, or use "
            f"--profile direct"
        )
    for lane in serving:
        if lane.model is None and not set(spoken) & set(lane.formats):
            raise ConfigError(
                f"lane {lane.name!r} has no model, and the names of models that {name} asks for mean nothing to "
                f'{lane.provider}; add model = "…" to [lanes.{lane.name}]'
            )


def _serving(chosen: Router, spoken: Format) -> tuple[Lane, ...]:
    try:
        return chosen.serving(spoken)
    except ClientError:
        return ()


def reachable(chosen: Router, tool: Tool) -> list[Lane]:
    """The lanes that this session begins with: for each format the tool speaks, the first of every tier."""
    found = list[Lane]()
    for spoken in tool.SPEAKS:
        try:
            first = [chosen.of_tier(tier, spoken)[0] for tier in (chosen.tier, *(chosen.tiers and TIERS))]
        except ClientError:
            continue
        found += [lane for lane in first if lane not in found]
    return list({lane.name: lane for lane in found}.values())


def call_of(planned: Plan, port: int, secret: str, folder: Path) -> Call:
    environ = planned.options.environ
    home = Path(environ.get("HOME") or home_folder(planned.where.state))
    lanes = planned.router.lanes
    return Call(planned.argv, environ, cwd(), home, port, secret, folder, lanes, _gives_verdicts, planned.status_line)


def _gives_verdicts(lane: Lane) -> bool:
    # The table of what models can do is read by those who ask.
    from lynkr.upstream.capabilities import gives_verdicts

    return gives_verdicts(lane)


def launch_of(planned: Plan, call: Call) -> Launch:
    launch = planned.tool.launch(call)
    for provider, url in launch.origins.items():
        check_url(url, f"the base URL that is set for {provider}")
    return launch


def destinations(planned: Plan, launch: Launch) -> list[str]:
    """Where the session's lanes send things, a line each."""
    lines = []
    for lane in planned.router.lanes:
        held = planned.held.get(lane.name)
        credential = f", {held.source}" if held else ""
        model = f", model {lane.model}" if lane.model else ""
        serves = [tier for tier, of in planned.router.tiers.items() if lane in of]
        work = f" ({', '.join(serves)})" if serves else ""
        lines.append(
            f"lane {lane.name}{work} → {base_url(lane, lane.formats[0], launch.origins, {})}{model}{credential}"
        )
        lines.append(f"  compressed: {planned.compress.words(own_credential=lane.auth is Auth.CLIENT)}")
    return lines


def preview(planned: Plan) -> tuple[Launch, dict[str, str]]:
    """What starting would inject, with PORT and SECRET in place of the real ones: (the launch, the environment)."""
    call = call_of(planned, 0, "SECRET", Path("SESSION_FOLDER"))
    launch = launch_of(planned, call)
    environment = child_environment(call, launch, "SESSION", planned.key_variables)
    changed = {name: value for name, value in environment.items() if planned.options.environ.get(name) != value}
    return launch, changed
