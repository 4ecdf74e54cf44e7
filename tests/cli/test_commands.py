"""The commands as a user meets them: help, empty states, mistakes, and output that can be read and parsed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from conftest import lynkr, profile
from scripts import anthropic, upstream

COMMANDS = ("run", "demo", "report", "sessions", "prices")


def test_help_lists_every_command_in_80_columns(clean_machine: Path) -> None:
    shown = lynkr("--help", home=clean_machine)
    assert shown.status == 0
    assert all(re.search(rf"^  {name} ", shown.out, re.M) for name in COMMANDS)
    assert max(map(len, shown.out.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_help_text(clean_machine: Path, name: str) -> None:
    shown = lynkr(name, "--help", home=clean_machine)
    assert shown.status == 0
    assert len(shown.out.splitlines()) > 4
    assert max(map(len, shown.out.splitlines())) <= 80


def test_a_word_that_is_no_command_gets_the_nearest_one(clean_machine: Path) -> None:
    ran = lynkr("reprot", home=clean_machine)
    assert (ran.status, ran.err) == (2, "lynkr: there is no command 'reprot'; did you mean 'report'?\n")


def test_a_tools_name_alone_says_how_to_run_it(clean_machine: Path) -> None:
    assert "lynkr run claude" in lynkr("claude", "-p", "hi", home=clean_machine).err
    assert "did you mean 'claude'?" in lynkr("run", "claud", home=clean_machine).err


def test_nothing_at_all_shows_the_help(clean_machine: Path) -> None:
    bare = lynkr(home=clean_machine)
    assert (bare.status, bare.err) == (0, "")
    assert bare.out == lynkr("--help", home=clean_machine).out


def test_a_file_that_is_no_model_is_named(clean_machine: Path) -> None:
    pytest.importorskip("xllamacpp")
    file = clean_machine / "not.gguf"
    file.write_text("hello")
    ran = lynkr("demo", "--gguf", str(file), home=clean_machine)
    assert (ran.status, ran.out) == (78, "")
    assert "is no GGUF model" in ran.err


def test_where_things_go_is_said(clean_machine: Path) -> None:
    text = '[lanes.a]\nprovider = "anthropic"\nbase_url = "https://corp.example/x"\nmodel = "m"\nkey_env = "CORP"\n'
    profile(clean_machine, "work", text)
    shown = lynkr("run", "-p", "work", "--dry-run", "--", "true", home=clean_machine, CORP="k").out
    assert "lane a → https://corp.example/x, model m, key from CORP" in shown
    direct = lynkr("run", "--dry-run", "--", "true", home=clean_machine, OPENAI_BASE_URL="https://gw.example/v1").out
    assert "lane openai → https://gw.example/v1, the tool's own credential" in direct


def test_before_the_first_session_there_is_a_word_on_what_to_do(clean_machine: Path) -> None:
    assert "lynkr run claude" in lynkr("sessions", home=clean_machine).out
    assert json.loads(lynkr("sessions", "--json", home=clean_machine).out) == []
    report = lynkr("report", home=clean_machine)
    assert report.status == 1
    assert "lynkr run claude" in report.err


def test_the_demo_needs_nothing_and_ends_in_a_true_report(clean_machine: Path) -> None:
    ran = lynkr("demo", home=clean_machine, PATH="/usr/bin:/bin")
    assert (ran.status, ran.err) == (0, "")
    assert "canned" in ran.out
    assert "Nothing leaves this machine" in ran.out
    assert "[run_tests] OK" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 95
    report = ran.report()
    assert report["session"]["tool"] == "demo"
    assert report["totals"]["requests"] == 5
    assert report["totals"]["cache_read_tokens"] > 1000
    assert f"{report['totals']['output_tokens']}" in ran.out


def test_the_report_file_and_the_ledger_say_the_same(clean_machine: Path) -> None:
    profile_of = '[lanes.a]\nprovider = "anthropic"\nauth = "client"\nbase_url = "{}"\n'
    code = "import os, urllib.request as u; u.urlopen(u.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages', b'{\"model\": \"claude-opus-5-5\"}')).read()"
    with upstream(anthropic()) as up:
        profile(clean_machine, "work", profile_of.format(up.url))
        file = clean_machine / "report.json"
        ran = lynkr("run", "-p", "work", "--report", str(file), "--", sys.executable, "-c", code, home=clean_machine)
    assert ran.status == 0
    report = json.loads(file.read_text())
    assert report == ran.report() == ran.report(report["session"]["id"][-8:])
    listed = json.loads(lynkr("sessions", "--json", home=clean_machine).out)
    assert listed[0]["totals"] == report["totals"]
    assert report["session"]["id"][-8:] in lynkr("sessions", home=clean_machine).out
    assert "1 request · 4.31k tokens in (93% cached) · 42 out" in ran.err
    shown = lynkr("report", "last", home=clean_machine).out
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown


def test_an_unknown_session_is_named(clean_machine: Path) -> None:
    lynkr("run", "-q", "--", "true", home=clean_machine)
    ran = lynkr("report", "NOSUCH", home=clean_machine)
    assert ran.status == 2
    assert "'NOSUCH'" in ran.err


def test_a_report_that_cannot_be_written_is_said_before_anything_starts(clean_machine: Path) -> None:
    ran = lynkr("run", "--report", "/no/such/folder/r.json", "--", "echo", "started", home=clean_machine)
    assert (ran.status, ran.out) == (78, "")
    assert "/no/such/folder" in ran.err


def test_prices_are_shown_with_their_date(clean_machine: Path) -> None:
    shown = lynkr("prices", "claude-haiku-5-5", home=clean_machine).out
    assert "above 100k" in shown
    assert re.search(r"20\d\d-\d\d-\d\d", shown)
    assert json.loads(lynkr("prices", "--json", home=clean_machine).out)["models"]["claude-opus-5-5"]["input"] == 4
    assert "claude-opus-5-5" in lynkr("prices", "opus", home=clean_machine).out
    unknown = lynkr("prices", "no-such-model", home=clean_machine)
    assert unknown.status == 2
    assert "no-such-model" in unknown.err


def test_a_dry_run_starts_nothing_and_shows_everything(clean_machine: Path) -> None:
    shown = lynkr("run", "--dry-run", "--", "touch", str(clean_machine / "touched"), home=clean_machine)
    assert shown.status == 0
    assert not (clean_machine / "touched").exists()
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:PORT/SECRET" in shown.out
    assert not (clean_machine / "lynkr").exists()


def test_verbose_says_where_things_go(clean_machine: Path) -> None:
    ran = lynkr("run", "-v", "--", "true", home=clean_machine)
    assert "profile direct" in ran.err
    assert all(line.startswith("lynkr: ") for line in ran.err.splitlines())
