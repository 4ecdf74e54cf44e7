"""One small module a coding tool; this table is how they are found.

Each says what the tool speaks (`SPEAKS`), how it is installed (`INSTALL`) and how it is started (`launch`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Protocol, cast

from lynkr.lane import Format
from lynkr.launch.launch import Call, Launch
from lynkr.launch.tools import command


class Tool(Protocol):
    """What a tool's module holds."""

    @property
    def SPEAKS(self) -> tuple[Format, ...]: ...

    @property
    def INSTALL(self) -> str: ...

    def launch(self, call: Call) -> Launch: ...


_NAMES = ("claude", "codex", "gemini", "opencode", "aider", "qwen", "copilot", "cline", "kilo", "pi", "cn")


class _Tools(Mapping[str, Tool]):
    """The tools by their commands' names; a session reads the module of one."""

    def __getitem__(self, name: str) -> Tool:
        if name not in _NAMES:
            raise KeyError(name)
        return cast(Tool, importlib.import_module(f"{__name__}.{name}"))

    def __contains__(self, name: object) -> bool:
        return name in _NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


TOOLS: Mapping[str, Tool] = _Tools()
ANY: Tool = command
