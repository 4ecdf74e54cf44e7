"""What starting a tool through lynkr takes, as a value. Adapters make it and do nothing themselves.

No file of the user's is ever changed. What a tool must read from a file is written into the session's own folder. The
session's secret goes into the environment and such files only: an argument can be read by every user of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from lynkr.lane import Auth, Format, Lane

# What a tool is given where it insists on a key and the lane has its own: it opens nothing.
PLACEHOLDER = "lynkr-holds-the-key"
# The file in a session's folder that holds a line about it, where the profile wants one to be shown.
STATUS = "status"


class Call(NamedTuple):
    """What the user asked for, and what the tool is to be pointed at.

    `argv` begins with the tool's own path. `url` is the proxy's base URL with the secret in its path, `bare_url` the
    same without it. `folder` is the session's own folder (made by whoever carries the launch out). `lanes` are those
    that may serve the session; `gives_verdicts` says of one whether its model can judge whether a call is safe.
    `status_line` says that the tool is to show the line in STATUS, where it can and the user has it show nothing else.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    cwd: Path
    home: Path
    port: int
    secret: str
    folder: Path
    lanes: Sequence[Lane]
    gives_verdicts: Callable[[Lane], bool] = lambda _: False
    status_line: bool = False

    @property
    def bare_url(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The proxy's base URL, secret and all."""
        return f"{self.bare_url}/{self.secret}"

    def lane(self, *spoken: Format) -> Lane | None:
        """The first lane that serves one of the formats, translated or not."""
        return next((lane for lane in self.lanes if any(map(lane.format_for, spoken))), None)

    def own_lane(self, *spoken: Format) -> Lane | None:
        """The same, where that lane has a credential of its own, so that none of the tool's is to be carried."""
        lane = self.lane(*spoken)
        return lane if lane is not None and lane.auth is not Auth.CLIENT else None

    def has_own_key(self, *spoken: Format) -> bool:
        """Whether there is such a lane."""
        return self.own_lane(*spoken) is not None


# What stands inside a cloud's envelope.
_INSIDE = {Format.BEDROCK_INVOKE: Format.ANTHROPIC, Format.VERTEX_ANTHROPIC: Format.ANTHROPIC}


def dialect(lane: Lane, known: Container[Format]) -> Format:
    """The one of the `known` formats that a tool is to speak to `lane`: the lane's own, so that nothing need be
    translated; where it knows none of those, Chat Completions."""
    inside = (_INSIDE.get(spoken, spoken) for spoken in lane.formats)
    return next((spoken for spoken in inside if spoken in known), Format.OPENAI_CHAT)


class Launch(NamedTuple):
    """How the tool is started.

    `carrier` names a request header that holds the secret and, as its variable's value without lynkr, what is put back
    in its place. `origins` are the base URLs, by provider, that the tool would have used without us. `links` are
    names in the session's folder for things of the user's.
    """

    argv: tuple[str, ...]
    set: Mapping[str, str] = MappingProxyType({})
    unset: tuple[str, ...] = ()
    files: Mapping[Path, str] = MappingProxyType({})
    carrier: tuple[str, str | None] | None = None
    origins: Mapping[str, str] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    links: Mapping[Path, Path] = MappingProxyType({})


def child_environment(call: Call, launch: Launch, session: str, key_variables: Sequence[str]) -> dict[str, str]:
    """The tool's whole environment: the user's, less what competes or holds a lane's key, plus the launch's."""
    gone = {*launch.unset, *key_variables}
    environment = {name: value for name, value in call.environ.items() if name not in gone}
    environment |= {"LYNKR_SESSION": session, "LYNKR_URL": call.url, **no_proxy(call.environ)}
    return environment | dict(launch.set)


def no_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY and no_proxy with loopback added: tools send even that through a proxy that they are told of."""
    added = {}
    for name in ("NO_PROXY", "no_proxy"):
        before = environ.get(name) or environ.get(name.swapcase()) or ""
        if before.strip() == "*":  # nothing goes through a proxy; with company it would not be understood
            added[name] = before
            continue
        hosts = [host.strip() for host in before.split(",") if host.strip()]
        added[name] = ",".join([*hosts, *(host for host in ("127.0.0.1", "localhost") if host not in hosts)])
    return added
