"""One small module a coding tool; this table is how they are found.

Each says what the tool speaks (`SPEAKS`), how it is installed (`INSTALL`) and how it is started (`launch`).
"""

from __future__ import annotations

from typing import Protocol

from lynkr.lane import Format
from lynkr.launch.launch import Call, Launch
from lynkr.launch.tools import aider, claude, cline, cn, codex, command, copilot, gemini, kilo, opencode, pi, qwen


class Tool(Protocol):
    """What a tool's module holds."""

    @property
    def SPEAKS(self) -> tuple[Format, ...]: ...

    @property
    def INSTALL(self) -> str: ...

    def launch(self, call: Call) -> Launch: ...


TOOLS: dict[str, Tool] = {
    "claude": claude,
    "codex": codex,
    "gemini": gemini,
    "opencode": opencode,
    "aider": aider,
    "qwen": qwen,
    "copilot": copilot,
    "cline": cline,
    "kilo": kilo,
    "pi": pi,
    "cn": cn,
}
ANY: Tool = command
