"""What a session may change of its requests: read once from the profile, and the same until it ends."""

from __future__ import annotations

from typing import Literal, NamedTuple

Terse = Literal["off", "lite", "full", "ultra"]


class Settings(NamedTuple):
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

    def words(self, *, own_credential: bool) -> str:
        """What is changed on a lane, in a line; `own_credential` says that the tool's own credential is used there."""
        said = ["tool results" if self.results(own_credential=own_credential) else ""]
        said += ["descriptions of tools" if self.tool_schemas else ""]
        said += ["no doubled tools" if self.drop_duplicate_tools else ""]
        said += [f"without tools {', '.join(self.without_tools)}" if self.without_tools else ""]
        said += [f"terse {self.terse}" if self.terse != "off" else ""]
        said += ["thin line numbers" if self.thin_line_numbers and said[0] else ""]
        return ", ".join(filter(None, said)) or "nothing"

    def results(self, *, own_credential: bool) -> bool:
        """Whether tool results are compressed on a lane; `own_credential` says that it is the tool's own."""
        return not own_credential if self.tool_results is None else self.tool_results


OFF = Settings(tool_results=False)
