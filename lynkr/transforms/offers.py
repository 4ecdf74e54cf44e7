"""The tools of a request: which of them are offered, and how much is said of each.

Each decision is made for one tool by its own words and the profile's, so that it is the same in every request of a
session and of the next one: the list of tools stands before everything that a provider caches.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from lynkr.passage import Offer
from lynkr.transforms.settings import Settings

# What servers of MCP commonly bring, by its name there, and the built-in tools that do the same.
_DOUBLES: Mapping[str, frozenset[str]] = {
    "read": frozenset(("read_file", "read_text_file", "readfile", "read", "view_file", "get_file_contents_local")),
    "write": frozenset(("write_file", "writefile", "create_file", "write")),
    "edit": frozenset(("edit_file", "editfile", "edit_block", "str_replace", "replace_in_file", "edit")),
    "glob": frozenset(("search_files", "find_files", "glob", "list_directory", "directory_tree", "list_files")),
    "grep": frozenset(("grep", "search_code", "ripgrep", "search_in_files", "grep_search")),
    "bash": frozenset(("execute_command", "run_command", "bash", "shell", "run_shell_command", "start_process")),
    "webfetch": frozenset(("fetch", "web_fetch", "fetch_url")),
    "websearch": frozenset(("web_search", "search_web", "brave_web_search")),
}
_MCP = "mcp__"
_EXAMPLES = re.compile(
    r"<example\b.*?</example>|<good-example\b.*?</good-example>|<bad-example\b.*?</bad-example>", re.S
)
# Shorter lines may be said twice for a reason.
_LEAST_LINE = 30
# Words about the schema for people who read it, not for who calls the tool.
_IDLE = ("title", "examples", "$comment", "$schema", "markdownDescription", "x-order")


def doubled(names: Collection[str]) -> frozenset[str]:
    """The MCP tools among `names` that do what a built-in one among them does."""
    built_in = {name.lower().replace("_", "") for name in names if not name.startswith(_MCP)}
    known = {"readfile": "read", "writefile": "write", "replace": "edit", "runshellcommand": "bash", "shell": "bash",
             "execcommand": "bash", "searchfilecontent": "grep", "fetch": "webfetch"}  # fmt: skip
    built_in |= {known[name] for name in built_in if name in known}
    return frozenset(
        name
        for name in names
        if name.startswith(_MCP)
        and any(kind in built_in and name.rpartition("__")[2] in doing for kind, doing in _DOUBLES.items())
    )


def left_out(name: str, settings: Settings) -> bool:
    """Whether the profile says that a tool is not to be offered."""
    return any(fnmatchcase(name, pattern) for pattern in settings.without_tools)


def trimmed(offer: Offer) -> Offer:
    """An offer without examples, and without lines that it says twice; every sentence and constraint stays."""
    schema = offer.schema and _schema(offer.schema)
    return Offer(offer.name, _said(offer.description), schema)


def _said(text: str) -> str:
    kept, said = list[str](), set[str]()
    for line in _EXAMPLES.sub("", text).split("\n"):
        words = line.strip()
        if words not in said or len(words) < _LEAST_LINE:
            kept.append(line.rstrip())
        said.add(words)
    new = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
    return new if 0 < len(new) < len(text) else text


def _schema(value: Any, *, named: bool = False) -> Any:
    """A schema with every name, type, enum and constraint, its descriptions trimmed. `named`: its keys are names."""
    if isinstance(value, list):
        return [_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    new = dict[str, Any]()
    for key, inner in value.items():
        if not named and key in _IDLE and not isinstance(inner, dict):
            continue
        if not named and key == "description" and isinstance(inner, str):
            new[key] = _said(inner)
        elif not named and key in ("enum", "const", "default", "required"):
            new[key] = inner
        else:
            new[key] = _schema(
                inner, named=not named and key in ("properties", "$defs", "definitions", "patternProperties")
            )
    return new
