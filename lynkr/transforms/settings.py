"""What a session may change of its requests: read once from the profile, and the same until it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Terse = Literal["off", "lite", "full", "ultra"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`[compress]` of a profile.

    `tool_results` is None where the profile does not say: then a lane with a key of its own is compressed, and the
    tool's own credential (a subscription, above all) sends what the tool wrote, byte for byte. `without_tools` names
    tools that are never offered, a `*` at its end for a whole group; `drop_duplicate_tools` takes out those of MCP
    servers that do what a built-in one does. `thin_line_numbers` leaves out the numbers of most lines of a file.
    """

    tool_results: bool | None = None
    tool_schemas: bool = False
    terse: Terse = "off"
    drop_duplicate_tools: bool = False
    without_tools: tuple[str, ...] = ()
    thin_line_numbers: bool = False

    @property
    def tools(self) -> bool:
        """Whether the list of tools may be changed."""
        return self.tool_schemas or self.drop_duplicate_tools or bool(self.without_tools)

    def results(self, *, own_credential: bool) -> bool:
        """Whether tool results are compressed on a lane; `own_credential` says that it is the tool's own."""
        return not own_credential if self.tool_results is None else self.tool_results


OFF = Settings(tool_results=False)
