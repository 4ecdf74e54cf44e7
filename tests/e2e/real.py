"""Homes for the real tools: logged in with fake keys, past their first-run questions, nothing else."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path

from scripts import _read


def claude_home(home: Path) -> tuple[Path, dict[str, str]]:
    """(a project, the environment) of somebody who has used Claude Code before."""
    project = _project(home)
    trust = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    state = {"hasCompletedOnboarding": True, "theme": "dark", "projects": {str(project): trust}}
    (home / ".claude.json").write_text(json.dumps(state))
    return project, {"IS_SANDBOX": "1", "DISABLE_AUTOUPDATER": "1", "ANTHROPIC_AUTH_TOKEN": "sk-fake-token"}


def codex_home(home: Path, url: str | None = None) -> tuple[Path, dict[str, str]]:
    """(a project, the environment) of somebody who is logged in to Codex with an API key, whose address is `url`."""
    project = _project(home)
    folder = home / ".codex"
    folder.mkdir()
    (folder / "auth.json").write_text('{"OPENAI_API_KEY": "sk-fake-codex"}')
    lines = [f'openai_base_url = "{url}"'] if url else []
    lines += ["check_for_update_on_startup = false", "[analytics]", "enabled = false", "[features]", "apps = false"]
    lines += ["plugins = false", f'[projects."{project}"]', 'trust_level = "trusted"']
    (folder / "config.toml").write_text("\n".join(lines) + "\n")
    return project, {}


def _project(home: Path) -> Path:
    project = home / "project"
    project.mkdir()
    (project / "seen-by-the-tool.txt").write_text("hello\n")
    return project


def with_tool(path: str) -> str:
    """PATH with a tool's folder first."""
    return f"{Path(path).parent}{os.pathsep}{os.environ['PATH']}"


def sent_bodies(record: Path) -> list[str]:
    """The SHA-256 of every POST body that a tap recorded, sorted."""
    found = []
    for file in record.parent.glob(record.name + ".*"):
        reader = io.BufferedReader(io.BytesIO(file.read_bytes()))  # type: ignore[arg-type]
        while asked := _read(reader, None):
            if asked.method == "POST":
                found.append(hashlib.sha256(asked.body).hexdigest())
    return sorted(found)


def snapshot(folder: Path) -> dict[str, str]:
    """Every configuration file under `folder` with its hash: what a session must not change."""
    names = ("settings.json", "config.toml", "auth.json", "settings.local.json", ".credentials.json")
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.name in names and path.is_file()
    }


def gemini_home(home: Path) -> tuple[Path, dict[str, str]]:
    """(a project, the environment) of somebody who has used gemini-cli with an API key before."""
    project = _project(home)
    folder = home / ".gemini"
    folder.mkdir()
    (folder / "settings.json").write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}')
    return project, {"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_API_KEY": "fake-gemini-key"}
