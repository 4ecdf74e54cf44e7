"""What can go wrong, by whose fault it is.

Each error knows four things: the HTTP status a client of the proxy would see, the exit status a user of the command
line would see, whether trying the same again can help, and a sentence that ends in the way out. The sentence may name
lanes, files and keys' names; it never holds a key, the session's secret, or any part of a prompt.
"""

from __future__ import annotations

# Exit statuses of `lynkr run` (the contract's; 126 and 127 are the shell's own, 78 is EX_CONFIG of sysexits.h).
EXIT_USAGE = 2
EXIT_CONFIG = 78
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127


class LynkrError(Exception):
    """A fault of lynkr itself, and the base of the others."""

    status = 500
    exit_status = 1
    kind = "lynkr_error"

    def __init__(self, sentence: str, *, status: int | None = None, kind: str | None = None, retry: bool = False):
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status or self.status
        self.kind = kind or self.kind
        self.retry = retry


class UsageError(LynkrError):
    """The command line does not make sense."""

    exit_status = EXIT_USAGE
    kind = "usage"


class ConfigError(LynkrError):
    """A profile, lane or key is not as it must be."""

    exit_status = EXIT_CONFIG
    kind = "configuration"


class ToolError(LynkrError):
    """The tool to launch is not there, or cannot be started."""

    exit_status = EXIT_NOT_FOUND
    kind = "tool"

    def __init__(self, sentence: str, *, exit_status: int):
        super().__init__(sentence)
        self.exit_status = exit_status


class ClientError(LynkrError):
    """The request that reached the proxy cannot be served as it is."""

    status = 400
    kind = "invalid_request"


class UpstreamError(LynkrError):
    """The lane did not answer, or not to the end."""

    status = 502
    kind = "upstream_unreachable"
