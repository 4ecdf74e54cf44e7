"""Profiles by way of the commands: which one is used and why, switching, making, editing and checking them.

A profile that is broken, missing or cannot be written is one line on stderr with the way out, never a traceback.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import Ran, command_line, environment, lynkr, profile
from scripts import anthropic, upstream

SHIPPED = ("direct", "enterprise", "faithful", "frugal", "hybrid", "local")
LANE = '[lanes.{name}]\nprovider = "anthropic"\nauth = "client"\nbase_url = "{url}"\n'


def made(home: Path, *names: str) -> None:
    """Profiles of the user's, each with one lane that has the profile's name."""
    for name in names:
        profile(home, name, f'description = "That is {name}"\n' + LANE.format(name=name, url="http://127.0.0.1:9"))


def lane_of(home: Path, *words: str, cwd: Path | None = None, **env: str) -> str:
    """The lane that `lynkr run` would send things down."""
    ran = lynkr("run", *words, "--dry-run", "--", "true", home=home, cwd=cwd, **env)
    assert ran.status == 0, ran.err
    return next(line.split()[1] for line in ran.out.splitlines() if line.startswith("lane "))


def one_line(ran: Ran, status: int) -> str:
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith("lynkr: ")
    assert len(ran.err.splitlines()) == 1
    return ran.err


@pytest.fixture
def project(clean_machine: Path) -> Path:
    folder = clean_machine / "code" / "project"
    folder.mkdir(parents=True)
    return folder


# --- which profile ----------------------------------------------------------------------------------------------------


def test_each_way_to_choose_beats_those_behind_it(clean_machine: Path, project: Path) -> None:
    made(clean_machine, "one", "two", "three", "four")
    below = project / "src"
    below.mkdir()
    assert lane_of(clean_machine, cwd=below) == "anthropic"
    assert lynkr("use", "four", home=clean_machine).status == 0
    assert lane_of(clean_machine, cwd=below) == "four"
    assert lynkr("use", "three", "--local", home=clean_machine, cwd=project.parent).status == 0
    assert lane_of(clean_machine, cwd=below) == "three"
    assert lynkr("use", "two", "--local", home=clean_machine, cwd=project).status == 0
    assert lane_of(clean_machine, cwd=below) == "two"
    assert lane_of(clean_machine, cwd=below, LYNKR_PROFILE="three") == "three"
    assert lane_of(clean_machine, "-p", "one", cwd=below, LYNKR_PROFILE="three") == "one"
    assert lane_of(clean_machine) == "four"


def test_use_alone_says_which_and_why(clean_machine: Path, project: Path) -> None:
    made(clean_machine, "work")
    assert lynkr("use", home=clean_machine).out.startswith("direct ")
    lynkr("use", "work", home=clean_machine)
    shown = lynkr("use", home=clean_machine)
    assert shown.out.startswith("work  That is work\n")
    assert "lynkr use" in shown.out
    assert "LYNKR_PROFILE" in lynkr("use", home=clean_machine, LYNKR_PROFILE="local").out
    lynkr("use", "work", "--local", home=clean_machine, cwd=project)
    assert str(project / ".lynkr.toml") in lynkr("use", home=clean_machine, cwd=project).out


def test_use_says_when_something_else_still_counts(clean_machine: Path, project: Path) -> None:
    made(clean_machine, "work", "other")
    lynkr("use", "other", "--local", home=clean_machine, cwd=project)
    here = lynkr("use", "work", home=clean_machine, cwd=project)
    assert (here.status, f"{project / '.lynkr.toml'} says other" in here.err) == (0, True)
    assert "LYNKR_PROFILE says direct" in lynkr("use", "work", home=clean_machine, LYNKR_PROFILE="direct").err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'profile = "work"\n'),
        (
            '# mine\nprofile = "old"   # because\n\n[budget]  # lower\nsession_usd = 1.0  # one\n',
            '# mine\nprofile = "work"   # because\n\n[budget]  # lower\nsession_usd = 1.0  # one\n',
        ),
        ("# mine\n\n[budget]\nsession_usd = 1.0  # one\n", None),
        ("[budget]\r\nsession_usd = 1.0\r\n", None),
    ],
)
def test_use_local_leaves_everything_else_as_it_is(
    clean_machine: Path, project: Path, before: str, after: str | None
) -> None:
    made(clean_machine, "work")
    file = project / ".lynkr.toml"
    if before:
        file.write_bytes(before.encode())
        file.chmod(0o640)
    ran = lynkr("use", "work", "--local", home=clean_machine, cwd=project)
    assert (ran.status, str(file) in ran.err) == (0, True)
    written = file.read_bytes().decode()
    assert written == after if after else tomllib.loads(written) == {"profile": "work", "budget": {"session_usd": 1.0}}
    if before:
        assert all(line in written for line in before.splitlines() if "profile" not in line)
        assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in project.iterdir()] == [".lynkr.toml"]
    assert lane_of(clean_machine, cwd=project) == "work"


@pytest.mark.parametrize(
    "text", ["profile = \n", 'profile = "work"\n[lanes.x]\nprovider = "openai"\n', "profile = 3\n"]
)
def test_a_project_file_with_a_mistake_stops_no_command_that_can_do_without(
    clean_machine: Path, project: Path, text: str
) -> None:
    made(clean_machine, "work")
    file = project / ".lynkr.toml"
    file.write_text(text)
    assert str(file) in one_line(lynkr("run", "--", "true", home=clean_machine, cwd=project), 78)
    assert lane_of(clean_machine, "-p", "work", cwd=project) == "work"
    for words in ("use work", "profile list", "key list"):
        ran = lynkr(*words.split(), home=clean_machine, cwd=project)
        assert (ran.status, str(file) in ran.err) == (0, True), words
    assert lane_of(clean_machine) == "work"


def test_use_local_does_not_touch_a_file_that_is_no_toml(clean_machine: Path, project: Path) -> None:
    file = project / ".lynkr.toml"
    file.write_text("profile = \n")
    assert str(file) in one_line(lynkr("use", "direct", "--local", home=clean_machine, cwd=project), 78)
    assert file.read_text() == "profile = \n"


@pytest.mark.parametrize("words", [("use",), ("run", "--", "true"), ("profile", "show"), ("doctor",)])
def test_a_profile_that_is_not_there_is_told_with_who_asked_for_it(
    clean_machine: Path, project: Path, words: tuple[str, ...]
) -> None:
    made(clean_machine, "work")
    (project / ".lynkr.toml").write_text('profile = "wrok"\n')
    by_file = lynkr(*words, home=clean_machine, cwd=project)
    by_variable = lynkr(*words, home=clean_machine, LYNKR_PROFILE="wrok")
    for ran, who in ((by_file, ".lynkr.toml"), (by_variable, "LYNKR_PROFILE")):
        assert ran.status == (1 if words == ("doctor",) else 78)
        assert "did you mean 'work'?" in ran.out + ran.err
        assert who in ran.out + ran.err


def test_switching_to_what_cannot_be_used_changes_nothing(clean_machine: Path) -> None:
    made(clean_machine, "work")
    profile(clean_machine, "bad", LANE.format(name="a", url="http://127.0.0.1:9") + 'modle = "x"\n')
    lynkr("use", "work", home=clean_machine)
    assert "did you mean 'work'?" in one_line(lynkr("use", "wrok", home=clean_machine), 78)
    assert "bad.toml:5: lanes.a.modle" in one_line(lynkr("use", "bad", home=clean_machine), 78)
    assert "cannot be a profile's name" in one_line(lynkr("use", "../work", home=clean_machine), 78)
    assert lynkr("use", "--local", home=clean_machine).status == 2
    assert lane_of(clean_machine) == "work"


def test_two_sessions_at_once_have_each_its_own_profile(clean_machine: Path) -> None:
    code = (
        "import os, sys, urllib.request as u; print(flush=True); sys.stdin.readline(); "
        "u.urlopen(u.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages', b'{\"model\": \"m\"}')).read()"
    )
    with upstream(anthropic()) as one, upstream(anthropic()) as two:
        sessions = []
        for name, up in (("one", one), ("two", two)):
            profile(clean_machine, name, LANE.format(name=name, url=up.url))
            command = command_line("run", "-q", "-p", name, "--", sys.executable, "-c", code)
            sessions.append(subprocess.Popen(command, env=environment(clean_machine), text=True,
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE))  # fmt: skip
            lynkr("use", name, home=clean_machine)
        for session in sessions:
            assert session.stdout is not None
            assert session.stdout.readline() == "\n"
        for session in sessions:
            session.communicate("\n", timeout=30)
        assert [len(up.posts()) for up in (one, two)] == [1, 1]
    listed = json.loads(lynkr("sessions", "--json", home=clean_machine).out)
    assert sorted((session["profile"], session["totals"]["requests"]) for session in listed) == [("one", 1), ("two", 1)]


# --- list, show, path, check ------------------------------------------------------------------------------------------


def test_the_list_has_all_profiles_and_marks_the_one_in_use(clean_machine: Path) -> None:
    made(clean_machine, "work", "local")
    bad = profile(clean_machine, "bad", "[lanes.a]\nprovider = 3\n")
    rows = {
        row["name"]: row
        for row in json.loads(lynkr("profile", "list", "--json", home=clean_machine, LYNKR_PROFILE="work").out)
    }
    assert set(rows) == {*SHIPPED, "work", "bad"}
    assert [name for name, row in rows.items() if row["used"]] == ["work"]
    assert [name for name, row in rows.items() if row["shipped"]] == [name for name in SHIPPED if name != "local"]
    assert (rows["work"]["description"], rows["work"]["lanes"]) == ("That is work", ["work"])
    assert rows["bad"]["path"] == str(bad)
    assert "bad.toml:2: lanes.a.provider" in rows["bad"]["problem"]
    assert {row["problem"] is None for name, row in rows.items() if name != "bad"} == {True}
    shown = lynkr("profile", "list", home=clean_machine, LYNKR_PROFILE="work").out
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("*")] == ["work"]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_profile_is_in_order_and_teaches(clean_machine: Path, name: str) -> None:
    checked = lynkr("profile", "check", name, home=clean_machine)
    assert (checked.status, "is in order" in checked.err) == (0, True)
    shown = json.loads(lynkr("profile", "show", name, "--json", home=clean_machine).out)
    assert shown["name"] == name
    assert shown["description"]
    assert all({"lane", "provider", "model", "formats", "url", "auth"} <= set(lane) for lane in shown["lanes"])
    assert set(shown["tiers"]["complex"]) <= {lane["lane"] for lane in shown["lanes"]}
    file = Path(lynkr("profile", "path", name, home=clean_machine).out.strip())
    comments = [line for line in file.read_text().splitlines() if "#" in line]
    assert file.read_text().startswith("# ")
    assert len(comments) >= 3
    words = lynkr("profile", "show", name, home=clean_machine)
    assert all(f"lane {lane['lane']}:" in words.out for lane in shown["lanes"])


def test_the_path_is_told_of_a_profile_that_is_broken_too(clean_machine: Path) -> None:
    bad = profile(clean_machine, "bad", "garbage")
    assert lynkr("profile", "path", "bad", home=clean_machine).out == f"{bad}\n"
    assert lynkr("profile", "path", home=clean_machine).out == f"{bad.parent}\n"
    assert "did you mean 'bad'?" in one_line(lynkr("profile", "path", "bda", home=clean_machine), 78)


def test_check_names_each_mistake_with_its_line(clean_machine: Path) -> None:
    made(clean_machine, "work")
    bad = profile(clean_machine, "bad", LANE.format(name="a", url="http://127.0.0.1:9") + "[tiers]\ncomplx = []\n")
    every = lynkr("profile", "check", home=clean_machine)
    assert (every.status, "profile work is in order" in every.err) == (78, True)
    said = f"lynkr: {bad}:6: tiers.complx: there is no such key (did you mean 'complex'?)\n"
    assert said in every.err
    assert one_line(lynkr("profile", "check", "bad", home=clean_machine), 78) == said
    assert one_line(lynkr("profile", "check", str(bad), home=clean_machine), 78) == said
    elsewhere = clean_machine / "elsewhere.toml"
    elsewhere.write_text(LANE.format(name="a", url="http://127.0.0.1:9"))
    assert lynkr("profile", "check", "elsewhere.toml", home=clean_machine).status == 0
    assert "nosuch.toml" in one_line(lynkr("profile", "check", "nosuch.toml", home=clean_machine), 78)
    bad.write_bytes(b"\xff\xfe")
    assert "UTF-8" in one_line(lynkr("profile", "check", "bad", home=clean_machine), 78)
    assert lynkr("profile", "check", "work", "direct", home=clean_machine).status == 0


# --- new, edit --------------------------------------------------------------------------------------------------------


def editor(home: Path, body: str) -> str:
    """A program that can be named in EDITOR; it is told the file last."""
    file = home / "my editor"
    file.write_text(f'#!/bin/sh\nfor file; do :; done\necho "$@" > "{home}/told"\n{body}\n')
    file.chmod(0o755)
    return f'"{file}"'


def test_new_copies_a_profile_with_its_comments(clean_machine: Path) -> None:
    source = Path(lynkr("profile", "path", "frugal", home=clean_machine).out.strip())
    ran = lynkr("profile", "new", "mine", "--from", "frugal", home=clean_machine)
    mine = clean_machine / "lynkr" / "config" / "profiles" / "mine.toml"
    assert (ran.status, mine.read_text()) == (0, source.read_text())
    assert str(mine) in one_line(lynkr("profile", "new", "mine", home=clean_machine), 78)
    assert mine.read_text() == source.read_text()
    one_line(lynkr("profile", "new", "a b", home=clean_machine), 78)
    assert "did you mean 'frugal'?" in one_line(
        lynkr("profile", "new", "x", "--from", "frugel", home=clean_machine), 78
    )
    assert sorted(path.name for path in mine.parent.iterdir()) == ["mine.toml"]


def test_edit_opens_a_copy_of_a_shipped_profile_and_checks_it(clean_machine: Path) -> None:
    edits = editor(clean_machine, 'sed -i "s/qwen3-coder:30b/tiny:1b/" "$file"')
    ran = lynkr("profile", "edit", "local", home=clean_machine, EDITOR="false", VISUAL=f"{edits} --wait")
    mine = clean_machine / "lynkr" / "config" / "profiles" / "local.toml"
    assert (ran.status, "is in order" in ran.err) == (0, True)
    assert 'model    = "tiny:1b"' in mine.read_text()
    assert (clean_machine / "told").read_text() == f"--wait {mine}\n"
    assert "tiny:1b" in lynkr("profile", "show", "local", home=clean_machine).out


def test_edit_says_what_is_wrong_now_and_opens_what_was_wrong_before(clean_machine: Path) -> None:
    made(clean_machine, "work")
    spoils = editor(clean_machine, 'echo "modle = 3" >> "$file"')
    assert "lanes.work.modle" in one_line(lynkr("profile", "edit", "work", home=clean_machine, EDITOR=spoils), 78)
    mends = editor(clean_machine, 'sed -i /modle/d "$file"')
    assert lynkr("profile", "edit", "work", home=clean_machine, EDITOR=mends).status == 0
    lynkr("use", "work", home=clean_machine)
    assert lynkr("profile", "edit", home=clean_machine, EDITOR=mends).status == 0
    assert "work.toml" in (clean_machine / "told").read_text()


@pytest.mark.parametrize("broken", ["false", "no-such-editor"])
def test_an_editor_that_fails_is_named(clean_machine: Path, broken: str) -> None:
    made(clean_machine, "work")
    assert broken in one_line(lynkr("profile", "edit", "work", home=clean_machine, EDITOR=broken), 1)
    assert "'wrok'" in one_line(lynkr("profile", "edit", "wrok", home=clean_machine, EDITOR="true"), 78)
