"""What `lynkr doctor` finds on machines that are ill in one way each: the state, the words, and a mend that mends."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Ran, lynkr, profile
from ports import at_port
from scripts import Asked, Script, Step, anthropic, upstream, whole
from secretservice import secret_service

KEY = "sk-none-of-your-business-0123456789"
SYSTEM = "/usr/bin:/bin"
FIELDS = {"area", "name", "state", "says", "mend"}
Finding = dict[str, str]


def examined(home: Path, *options: str, cwd: Path | None = None, **env: str) -> list[Finding]:
    """The findings; what is true of every list of them is looked at here."""
    ran = lynkr("doctor", "--json", *options, home=home, cwd=cwd, **{"PATH": SYSTEM, **env})
    told: dict[str, Any] = json.loads(ran.out)
    findings: list[Finding] = told["findings"]
    states = {finding["state"] for finding in findings}
    assert set(told) == {"state", "findings"}
    assert all(set(finding) == FIELDS for finding in findings)
    assert states <= {"ok", "note", "wrong"}
    assert told["state"] == ("wrong" if "wrong" in states else "note" if "note" in states else "ok")
    assert ran.status == (1 if "wrong" in states else 0)
    assert all(finding["says"] for finding in findings)
    assert all(finding["mend"] for finding in findings if finding["state"] == "wrong"), findings
    return findings


def of(findings: list[Finding], area: str, name: str | None = None) -> list[Finding]:
    return [finding for finding in findings if finding["area"] == area and name in (None, finding["name"])]


def wrong(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding["area"], finding["name"]) for finding in findings if finding["state"] == "wrong"]


def tool(home: Path, name: str, body: str = "echo '1.2.3 (a tool)'") -> str:
    """Puts a tool into a folder of its own; that as PATH."""
    folder = home / "tools"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)
    return f"{folder}:{SYSTEM}"


def lane(home: Path, url: str = "http://127.0.0.1:9", more: str = "") -> None:
    text = f'[lanes.a]\nprovider = "anthropic"\nmodel = "claude-haiku-5-5"\nbase_url = "{url}"\n{more}\n'
    profile(home, "work", text)
    assert lynkr("use", "work", home=home).status == 0


# --- a machine in order -----------------------------------------------------------------------------------------------


def test_on_a_fresh_machine_nothing_is_wrong_and_everything_is_named(clean_machine: Path) -> None:
    findings = examined(clean_machine, PATH=tool(clean_machine, "claude"))
    assert wrong(findings) == []
    areas = list(dict.fromkeys(finding["area"] for finding in findings))
    assert areas == ["lynkr", "profile", "lane", "tool", "local", "keyring", "ledger", "prices"]
    assert "1.2.3" in of(findings, "tool", "claude")[0]["says"]
    assert list((clean_machine / "lynkr").glob("**/*")) == []


def test_for_people_each_finding_is_a_line_with_its_mend_below(clean_machine: Path) -> None:
    lane(clean_machine)
    env = {"PATH": tool(clean_machine, "gemini", "exit 3")}
    findings = examined(clean_machine, **env)
    shown = lynkr("doctor", home=clean_machine, **env)
    assert "\x1b" not in shown.out
    for finding in findings:
        assert f" {finding['name']}: {finding['says']}\n" in shown.out
        assert not finding["mend"] or f"→ {finding['mend']}\n" in shown.out
    assert (shown.status, "2 things are wrong" in shown.err, len(shown.err.splitlines())) == (1, True, 1)
    quiet = lynkr("doctor", home=clean_machine, PATH=SYSTEM, LYNKR_PROFILE="direct")
    assert (quiet.status, "in order" in quiet.err) == (0, True)


# --- profile ----------------------------------------------------------------------------------------------------------


def test_a_broken_profile_is_named_with_its_line_and_the_rest_is_looked_at(clean_machine: Path) -> None:
    profile(clean_machine, "bad", '[lanes.a]\nprovidr = "x"\n')
    findings = examined(clean_machine, LYNKR_PROFILE="bad", PATH=tool(clean_machine, "claude"))
    assert wrong(findings) == [("profile", "profile")]
    assert (
        "bad.toml:2: lanes.a.providr: there is no such key (did you mean 'provider'?)"
        in of(findings, "profile")[0]["says"]
    )
    assert {"tool", "keyring", "ledger", "prices"} <= {finding["area"] for finding in findings}


@pytest.mark.parametrize("who", ["variable", "project", "use"])
def test_the_mend_of_a_profile_that_is_not_there_fits_who_named_it(clean_machine: Path, who: str) -> None:
    env = {"LYNKR_PROFILE": "gone"} if who == "variable" else {}
    if who == "project":
        (clean_machine / ".lynkr.toml").write_text('profile = "gone"\n')
    if who == "use":
        gone = profile(clean_machine, "gone", '[lanes.a]\nprovider = "anthropic"\n')
        lynkr("use", "gone", home=clean_machine)
        gone.unlink()
    found = of(examined(clean_machine, **env), "profile")[0]
    named = {"variable": "LYNKR_PROFILE", "project": str(clean_machine / ".lynkr.toml"), "use": "lynkr use"}[who]
    assert (found["state"], named in found["says"] + found["mend"]) == ("wrong", True)


# --- lanes ------------------------------------------------------------------------------------------------------------


def test_a_missing_key_is_mended_by_storing_it(clean_machine: Path) -> None:
    lane(clean_machine, more='key = "corp"')
    findings = examined(clean_machine)
    assert wrong(findings) == [("lane", "a")]
    assert "lynkr key set corp" in of(findings, "lane", "a")[0]["mend"]
    assert "ANTHROPIC_API_KEY" in of(findings, "lane", "a")[0]["mend"]
    assert wrong(examined(clean_machine, ANTHROPIC_API_KEY=KEY)) == []


def refusing(status: int, kind: str) -> Script:
    def script(_asked: Asked) -> list[Step]:
        return whole({"type": "error", "error": {"type": kind, "message": f"no, not with {KEY}"}}, status)

    return script


@pytest.mark.parametrize(
    ("script", "state", "said", "mend"),
    [
        (anthropic(), "ok", "serves", ""),
        (refusing(401, "authentication_error"), "wrong", "does not take this key", "lynkr key set anthropic"),
        (refusing(404, "not_found_error"), "wrong", "no such model", "profile"),
        (None, "wrong", "nothing listens", "base_url"),
    ],
)
def test_lanes_are_tried_when_that_is_asked_for(
    clean_machine: Path, script: Script | None, state: str, said: str, mend: str
) -> None:
    with upstream(script or anthropic()) as up:
        lane(clean_machine, up.url if script else "http://127.0.0.1:9")
        assert wrong(examined(clean_machine, ANTHROPIC_API_KEY=KEY)) == []
        assert up.asked == []
        findings = examined(clean_machine, "--live", ANTHROPIC_API_KEY=KEY)
        assert len(up.asked) == (1 if script else 0)
    last = of(findings, "lane", "a")[-1]
    assert (last["state"], said in last["says"], mend in last["mend"]) == (state, True, True)
    assert KEY not in json.dumps(findings)


def test_a_lane_with_the_tools_own_credential_cannot_be_tried_and_that_is_no_fault(clean_machine: Path) -> None:
    findings = examined(clean_machine, "--live")
    assert wrong(findings) == []
    assert sum("not tried" in finding["says"] for finding in findings) == 3


# --- tools ------------------------------------------------------------------------------------------------------------


def test_without_any_tool_one_is_proposed(clean_machine: Path) -> None:
    found = of(examined(clean_machine), "tool")
    assert [(finding["state"], "npm install" in finding["mend"]) for finding in found] == [("note", True)]


@pytest.mark.parametrize("body", ["exit 3", "echo no figures", "kill -SEGV $$"])
def test_a_tool_that_does_not_start_is_to_be_installed_again(clean_machine: Path, body: str) -> None:
    findings = examined(clean_machine, PATH=tool(clean_machine, "codex", body))
    assert wrong(findings) == [("tool", "codex")]
    assert "@openai/codex" in of(findings, "tool", "codex")[0]["mend"]


@pytest.mark.parametrize(
    ("name", "file", "text", "env", "said"),
    [
        ("claude", None, "", {"CLAUDE_CODE_USE_BEDROCK": "1"}, "CLAUDE_CODE_USE_BEDROCK"),
        ("claude", ".claude/settings.json", '{"env": {"CLAUDE_CODE_USE_VERTEX": "1"}}', {}, "CLAUDE_CODE_USE_VERTEX"),
        ("codex", ".codex/config.toml", 'model_provider = "ollama"\n', {}, "'ollama'"),
    ],
)
def test_settings_that_lead_a_tool_past_lynkr_are_found(
    clean_machine: Path, name: str, file: str | None, text: str, env: dict[str, str], said: str
) -> None:
    if file:
        (clean_machine / file).parent.mkdir()
        (clean_machine / file).write_text(text)
    findings = examined(clean_machine, PATH=tool(clean_machine, name), **env)
    assert wrong(findings) == [("tool", name)]
    assert said in of(findings, "tool", name)[-1]["says"]


def test_a_tool_that_the_profile_is_not_for_is_no_fault(clean_machine: Path) -> None:
    tool(clean_machine, "claude")
    findings = examined(clean_machine, PATH=tool(clean_machine, "codex"), LYNKR_PROFILE="faithful")
    assert wrong(findings) == []
    assert "Claude Code alone" in of(findings, "tool", "codex")[-1]["says"]


def test_from_within_a_session_it_finds_the_same(clean_machine: Path) -> None:
    env = {"PATH": tool(clean_machine, "claude")}
    command = ("run", "-q", "--", sys.executable, "-m", "lynkr", "doctor", "--json")
    ran = lynkr(*command, home=clean_machine, **env)
    assert (ran.status, [f["name"] for f in json.loads(ran.out)["findings"] if f["state"] == "wrong"]) == (0, [])


# --- keyring, shims, ledger, servers ----------------------------------------------------------------------------------


def test_the_keyring_is_looked_into(clean_machine: Path) -> None:
    with secret_service() as service:
        env = {name: value for name, value in service.environ.items() if name != "HOME"}
        assert lynkr("key", "set", "anthropic", home=clean_machine, stdin=KEY, **env).status == 0
        lane(clean_machine)
        healthy = examined(clean_machine, **env)
        assert (wrong(healthy), of(healthy, "keyring")[0]["state"]) == ([], "ok")
        service.lock()
        locked = of(examined(clean_machine, **env), "keyring")[0]
        assert (locked["state"] != "ok", "unlock" in locked["says"] + locked["mend"]) == (True, True)
    none = of(examined(clean_machine), "keyring")[0]
    assert (none["state"], "--file" in none["mend"]) == ("note", True)


@pytest.mark.parametrize("desktop", [True, False])
def test_a_damaged_file_of_keys_is_found(clean_machine: Path, desktop: bool) -> None:
    data = clean_machine / "lynkr" / "data"
    data.mkdir(parents=True)
    (data / "keys.enc").write_text("garbage")
    with secret_service() if desktop else contextlib.nullcontext() as service:
        env = {name: value for name, value in service.environ.items() if name != "HOME"} if service else {}
        findings = examined(clean_machine, **env)
    assert [area for area, _name in wrong(findings)] == ["keyring"]
    assert "keys.enc" in json.dumps(of(findings, "keyring"))


def test_a_shim_that_is_not_first_is_to_be_put_first(clean_machine: Path) -> None:
    path = tool(clean_machine, "claude")
    assert lynkr("shim", "install", "claude", home=clean_machine, PATH=path).status == 0
    shims = clean_machine / "lynkr" / "data" / "shims"
    (shims / "folder").mkdir()
    (shims / "theirs").write_text("#!/bin/sh\n")
    behind = examined(clean_machine, PATH=f"{path}:{shims}")
    assert wrong(behind) == [("shim", "claude")]
    assert str(shims) in of(behind, "shim")[0]["mend"]
    (clean_machine / "link").symlink_to(shims)
    for first in (shims, clean_machine / "link"):
        ahead = examined(clean_machine, PATH=f"{first}:{path}")
        assert (wrong(ahead), [finding["state"] for finding in of(ahead, "shim")]) == ([], ["ok"])
        assert str(clean_machine / "tools") in of(ahead, "tool", "claude")[0]["says"]
    assert not (clean_machine / "lynkr" / "data" / "ledger.db").exists()


def test_a_ledger_that_is_none_is_found(clean_machine: Path) -> None:
    lynkr("run", "-q", "--", "true", home=clean_machine)
    assert of(examined(clean_machine), "ledger")[0]["state"] == "ok"
    ledger = clean_machine / "lynkr" / "data" / "ledger.db"
    ledger.write_text("garbage")
    found = of(examined(clean_machine), "ledger")[0]
    assert (found["state"], str(ledger) in found["says"]) == ("wrong", True)


def holding(*models: dict[str, str]) -> Script:
    return lambda _asked: whole({"object": "list", "data": list(models)})


def test_model_servers_of_this_machine_are_found_and_others_not_taken_for_them(clean_machine: Path) -> None:
    with at_port(8080, holding({"id": "tiny", "owned_by": "llamacpp"})):
        found = of(examined(clean_machine), "local")
    assert [(finding["name"], finding["state"], "tiny" in finding["says"]) for finding in found] == [
        ("llamacpp", "ok", True)
    ]
    with at_port(8080, holding({"id": "tiny", "owned_by": "somebody"})):
        assert [finding["name"] for finding in of(examined(clean_machine), "local")] == ["servers"]
    with upstream(lambda _asked: whole({"models": [{"name": "qwen3:4b"}]})) as up:
        found = of(examined(clean_machine, OLLAMA_HOST=f"127.0.0.1:{up.port}"), "local")
    assert [(finding["name"], "qwen3:4b" in finding["says"]) for finding in found] == [("ollama", True)]


def test_no_key_is_shown_and_no_prompt_appears(clean_machine: Path) -> None:
    lane(clean_machine)
    stored = lynkr("key", "set", "anthropic", "--file", home=clean_machine, stdin=KEY, LYNKR_PASSPHRASE="x")
    assert stored.status == 0
    for env in ({}, {"LYNKR_PASSPHRASE": "x"}, {"LYNKR_PASSPHRASE": "wrong"}):
        ran: Ran = lynkr("doctor", "--json", home=clean_machine, timeout=30, **env)
        assert KEY not in ran.out + ran.err
        found = of(json.loads(ran.out)["findings"], "lane", "a")[0]
        assert found["state"] == ("ok" if env == {"LYNKR_PASSPHRASE": "x"} else "wrong")
        assert os.linesep not in found["says"]
