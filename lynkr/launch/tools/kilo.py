"""Kilo Code's command line: opencode under another name, with variables of that name."""

from __future__ import annotations

from lynkr.launch.launch import Call, Launch
from lynkr.launch.tools import opencode

SPEAKS = opencode.SPEAKS
INSTALL = "npm install -g @kilocode/cli"


def launch(call: Call) -> Launch:
    """The launch of Kilo Code."""
    return opencode.launch_of(call, "kilo")
