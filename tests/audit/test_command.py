"""`lynkr audit` as a user meets it: damaged files, empty places, figures that add up, and what the real tools wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import Ran, lynkr, profile, real_tool
from real import claude_home, codex_home, with_tool
from scripts import RESPONSES_USAGE, Asked, Script, Step, claude_loop, codex_loop, upstream
from transcripts import Claude, Codex, call, figures, result, spent, spent_by_codex, text, written

from lynkr.audit import reading
from lynkr.cli import audit as command

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def asked(home: Path, *words: object, **env: str) -> dict[str, Any]:
    ran = lynkr("audit", "--json", *map(str, words), home=home, **env)
    assert (ran.status, ran.err) == (0, "")
    return json.loads(ran.out)


@pytest.fixture
def home(clean_machine: Path) -> Path:
    """Somebody who has used both tools, on two days."""
    shop = clean_machine / ".claude" / "projects" / "-home-dev-shop"
    Claude().turns(4).write(shop / "one.jsonl")
    Claude("5e551011-0000-4000-8000-0000000000dd", "/home/dev/other", "claude-haiku-4-5", 2 * 24 * 60).turns(3).write(
        shop / "two.jsonl"
    )
    Codex().turns(3).write(clean_machine / ".codex" / "sessions" / "2026" / "11" / "20" / "rollout-1.jsonl")
    return clean_machine


def test_without_a_place_both_tools_transcripts_are_found(home: Path) -> None:
    found = asked(home)
    claude = sum(spent(path) for path in home.rglob(".claude/**/*.jsonl"))
    codex = sum(spent_by_codex(path) for path in home.rglob(".codex/**/*.jsonl"))
    assert found["totals"]["cost_usd"] == pytest.approx(claude + codex, abs=1e-9)
    assert (found["sessions"], found["read"]["files"]) == (3, 3)


@pytest.mark.parametrize("chosen", [(), ("-p", "frugal")])
def test_the_parts_add_up_to_the_whole(home: Path, chosen: tuple[str, ...]) -> None:
    found = asked(home, *chosen)
    totals, then = found["totals"], found["with_lynkr"]
    assert sum(part["cost_usd"] for part in found["spent_on"].values()) == pytest.approx(totals["cost_usd"], abs=4e-9)
    names = {"input": "input", "cache_read": "cache_read", "cache_write": "cache_write", "output": "output"}
    for kind, name in names.items():
        assert found["spent_on"][kind]["tokens"] == totals[f"{name}_tokens"]
    assert set(found["by"]) == {"day", "model", "tool", "project"}
    for groups in found["by"].values():
        for name in (*TOKENS, "requests", "unpriced_requests"):
            assert sum(group["totals"][name] for group in groups) == totals[name]
        cost = sum(group["totals"]["cost_usd"] for group in groups)
        assert cost == pytest.approx(totals["cost_usd"], abs=len(groups) * 1e-9)
    parts = sum(then[f"{part}_usd"] for part in ("routing", "compression", "answers", "bypass"))
    assert parts == pytest.approx(then["saved_usd"], abs=4e-9)
    assert totals["cost_usd"] - then["cost_usd"] == pytest.approx(then["saved_usd"], abs=3e-9)
    assert bool(then["tokens_removed"]) == bool(chosen)


def test_the_share_of_results_is_what_they_were_of_all_prompts(home: Path) -> None:
    found = asked(home)
    for row in found["results"]:
        assert 0 < row["share_of_prompts"] < 1
        assert row["results"] > 0
    assert [row["share_of_prompts"] for row in found["results"]] == sorted(
        (row["share_of_prompts"] for row in found["results"]), reverse=True
    )


def test_only_requests_since_a_moment_count(home: Path) -> None:
    whole, late = asked(home)["totals"], asked(home, "--since", "2026-11-21")
    assert (late["totals"]["requests"], whole["requests"]) == (3, 10)
    assert {group["model"] for group in late["by"]["model"]} == {"claude-haiku-4-5"}
    assert late["period"]["said"] == "since 2026-11-21"


def test_only_results_since_a_moment_count(home: Path) -> None:
    assert {row["tool"] for row in asked(home, "--since", "2026-11-21")["results"]} == {"Bash"}


def test_the_direct_profile_says_that_it_is_the_same(home: Path) -> None:
    shown = lynkr("audit", "-p", "direct", home=home)
    assert "With lynkr, profile direct\n  the same: nothing goes elsewhere" in shown.out


def test_a_profile_that_cannot_serve_a_tool_is_not_said_to_be_the_same(home: Path) -> None:
    profile(home, "work", '[lanes.a]\nprovider = "anthropic"\nkey_env = "K"\n')
    shown = lynkr("audit", "-p", "work", str(home / ".codex"), home=home)
    assert "for codex: lane 'a' has no model" in shown.err
    assert "the same" not in shown.out


@pytest.mark.parametrize("words", [(), ("--since", "2027-01-01"), ("-p", "frugal")])
def test_without_a_request_a_sentence_says_so(clean_machine: Path, words: tuple[str, ...]) -> None:
    nothing = lynkr("audit", *words, home=clean_machine)
    assert (nothing.status, nothing.out) == (1, "")
    assert nothing.err.startswith("lynkr: there is no transcript (~/.claude/projects, ~/.codex/sessions)")
    assert nothing.err.count("\n") == 1
    written(clean_machine / ".claude" / "projects" / "p" / "a.jsonl", [{"type": "summary", "summary": "x"}])
    empty = lynkr("audit", *words, home=clean_machine)
    assert (empty.status, empty.out) == (0, "No request of a past session was found.\n")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--since", "soon"), 2, "'soon' is no time"),
        (("-p", "nowhere"), 78, "there is no profile 'nowhere'"),
        (("/no/such/place",), 2, "does not exist"),
        (("--until", "today"), 2, "no such option"),
    ],
)
def test_a_mistake_is_one_sentence(home: Path, words: tuple[str, ...], status: int, said: str) -> None:
    ran = lynkr("audit", *words, home=home)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err.lower()
    assert ran.err.startswith("lynkr: ")
    assert "Traceback" not in ran.err


BROKEN: dict[str, bytes] = {
    "an empty file": b"",
    "binary garbage": os.urandom(9000),
    "zeros": bytes(5000),
    "another kind": b'{"type": "chat", "text": "hello"}\n{"no": "type"}\n[1, 2]\n"words"\n12\nnull\n',
    "text": b"not json at all\nnor this\n",
    "deep": b"[" * 200_000 + b"\n",
    "many digits": b'{"type": "user", "n": ' + b"9" * 6000 + b"}\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_transcript_costs_what_it_holds_and_no_more(home: Path, kind: str) -> None:
    before = asked(home)
    (home / ".claude" / "projects" / "a-broken.jsonl").write_bytes(BROKEN[kind])
    (home / ".codex" / "sessions" / "a-broken.jsonl").write_bytes(BROKEN[kind])
    after = asked(home)
    assert after["totals"] == before["totals"]
    assert after["read"]["files"] == 5
    alone = lynkr("audit", str(home / ".codex" / "sessions" / "a-broken.jsonl"), home=home)
    assert (alone.status, alone.out) == (0, "No request of a past session was found.\n")


def test_broken_lines_and_a_last_one_that_was_cut_are_skipped_and_counted(home: Path) -> None:
    path = home / ".claude" / "projects" / "-home-dev-shop" / "one.jsonl"
    before = asked(home)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3:3] = [b"{broken\n", b"\xff\xfe\n", b"\n", b"[]\n"]
    path.write_bytes(b"".join(lines)[:-20])
    after = asked(home)
    assert after["totals"] == before["totals"]
    assert after["read"]["skipped_lines"] == 4
    assert "4 lines of " in lynkr("audit", home=home).out


def test_an_answer_that_was_cut_in_the_last_line_is_missing_and_the_rest_is_there(home: Path) -> None:
    path = home / ".codex" / "sessions" / "2026" / "11" / "20" / "rollout-1.jsonl"
    lines = path.read_text().splitlines()
    last = max(n for n, line in enumerate(lines) if "token_usage_record" in line)
    path.write_text("\n".join(lines[:last]) + "\n" + lines[last][:200])
    found = asked(home)
    assert found["totals"]["requests"] == 9
    assert found["read"]["skipped_lines"] == 1


def test_a_line_of_many_megabytes_is_read(home: Path) -> None:
    session = Claude("5e551011-0000-4000-8000-0000000000ee", minute=50)
    session.user("read it all")
    session.answer([call("t1", "Read")], figures(10, 500_000, 0, 9), "big1")
    session.user(result("t1", "a long line of text\n" * 500_000))
    session.answer([text("done")], figures(10, 500_000, 500_000, 9), "big2")
    path = session.write(home / ".claude" / "projects" / "big.jsonl")
    assert asked(home, path)["totals"]["cost_usd"] == pytest.approx(spent(path), abs=1e-9)


def test_a_line_longer_than_any_entry_is_skipped_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Claude().turns(3)
    longest = max(len(json.dumps(entry)) for entry in session.entries)
    monkeypatch.setattr(reading, "_LONGEST", longest + 10)
    session.entries.insert(0, {"type": "user", "uuid": "x", "message": {"content": "y" * longest * 3}})
    path = session.write(tmp_path / "a.jsonl")
    ran = CliRunner().invoke(command.command, ["--json", str(path)])
    assert json.loads(ran.stdout)["totals"]["requests"] == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_is_passed_over(home: Path) -> None:
    folder = home / ".codex" / "sessions"
    folder.chmod(0)
    try:
        assert asked(home)["sessions"] == 2
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("kind", ["a folder", "a dangling link"])
@pytest.mark.parametrize("place", ["at home", pytest.param("given")])
def test_what_cannot_be_opened_is_named_and_the_rest_is_read(home: Path, kind: str, place: str) -> None:
    path = home / ".claude" / "projects" / "-home-dev-shop" / "odd.jsonl"
    path.mkdir() if kind == "a folder" else path.symlink_to("/nonexistent")
    found = asked(home, *([path.parent] if place == "given" else []))
    assert found["totals"]["requests"] == (7 if place == "given" else 10)
    assert str(path) in found["read"]["unread"][0]


@pytest.mark.parametrize("chosen", ["direct", "frugal", "hybrid"])
def test_a_terminal_of_80_columns_is_wide_enough(home: Path, chosen: str) -> None:
    shown = lynkr("audit", "-p", chosen, home=home).out
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_names_from_files_are_only_names_and_no_wider_than_a_table(home: Path) -> None:
    odd = Claude("5e551011-0000-4000-8000-0000000000ff", "/home/\x1b[31m" + "very-long/" * 20, "model\x07" + "m" * 90)
    odd.user("hello")
    odd.answer([call("t1", "mcp__\x1b]0;title\x07")], figures(), "odd")
    odd.user(result("t1", "x" * 900))
    odd.answer([text("done")], figures(), "odd2")
    odd.write(home / ".claude" / "projects" / "odd.jsonl")
    shown = lynkr("audit", home=home).out
    assert "mcp__?]0;title?" in shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", shown)
    assert "without a known price" in shown
    assert max(len(line) for line in shown.splitlines() if line.startswith("  ") and "the same" not in line) <= 80


def test_a_tools_long_name_fits_into_80_columns(home: Path) -> None:
    session = Claude("5e551011-0000-4000-8000-0000000000ff")
    session.user("hello")
    session.answer([call("t1", "mcp__" + "server_" * 10)], figures(), "odd")
    session.user(result("t1", "x" * 900))
    session.answer([text("done")], figures(), "odd2")
    session.write(home / ".claude" / "projects" / "odd.jsonl")
    assert max(map(len, lynkr("audit", home=home).out.splitlines())) <= 80


@pytest.mark.parametrize(("variable", "coloured"), [("NO_COLOR", False), ("LYNKR_NOTHING", True)])
def test_colours_are_for_terminals_that_want_them(home: Path, variable: str, coloured: bool) -> None:
    assert "\x1b" not in lynkr("audit", home=home).out
    import pexpect

    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LYNKR_HOME": str(home / "lynkr"), "TERM": "xterm", variable: "1"}  # fmt: skip
    screen = pexpect.spawn(sys.executable, ["-m", "lynkr", "audit"], env=env, timeout=60, encoding="utf-8")
    shown = screen.read()
    assert "Past sessions" in shown
    assert ("\x1b[" in shown) is coloured


def test_progress_goes_to_stderr_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(command, "_EVERY_S", 0.0)
    ran = CliRunner().invoke(command.command, ["--json"], catch_exceptions=False)
    assert json.loads(ran.stdout)["totals"]["requests"] == 10
    assert "lynkr: 1 of 3 transcripts" in ran.stderr
    assert "transcripts\n" not in ran.stdout


def test_nothing_is_written_beside_the_transcripts_or_anywhere(home: Path) -> None:
    def held() -> dict[str, float]:
        return {str(path): path.stat().st_mtime for path in home.rglob("*")}

    before = held()
    assert lynkr("audit", home=home).status == 0
    assert held() == before


# --- The real tools ----------------------------------------------------------------------------------------------------


def numbered(script: Script, mark: bytes, name: bytes) -> Script:
    """The script with another id of the same length in each answer, as every provider gives."""
    numbers = count(1)

    def answers(asked: Asked) -> list[Step]:
        new = name % next(numbers)
        return [step.replace(mark, new) if isinstance(step, bytes) else step for step in script(asked)]

    return answers


def run(tool: str, *words: str, home: Path, project: Path, **env: str) -> Ran:
    done = subprocess.run(
        [real_tool(tool), *words],
        env={"PATH": with_tool(real_tool(tool)), "HOME": str(home), "TERM": "xterm-256color", **env},
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, home)


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.real
def test_what_claude_code_wrote_costs_what_claude_code_says(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    ask = ("-p", "list the files", "--allowedTools", "Bash", "--output-format", "json")
    with upstream(numbered(claude_loop("ls; seq 1 500"), b'"msg_01"', b'"msg_%02x"')) as up:
        env |= {"ANTHROPIC_BASE_URL": up.url}
        first = run("claude", *ask, home=clean_machine, project=project, **env)
        assert first.status == 0, first.err
        path = next(clean_machine.rglob(".claude/projects/**/*.jsonl"))
        own = next(line for line in reversed(entries(path)) if line["type"] == "cost-state")["totalCostUSD"]
        found = asked(clean_machine)
        assert own > 0
        assert found["totals"]["cost_usd"] == pytest.approx(own, rel=0.01)
        assert found["totals"]["cost_usd"] == pytest.approx(spent(path), abs=1e-9)
        assert [row["tool"] for row in found["results"]] == ["Bash"]

        session = json.loads(first.out)["session_id"]
        for more in ((), ("--fork-session",)):
            again = ("-p", "and again", "--resume", session, *more, "--allowedTools", "Bash")
            ran = run("claude", *again, home=clean_machine, project=project, **env)
            assert ran.status == 0, ran.err
    main = [post for post in up.posts("/v1/messages") if b'"Bash"' in post.body]
    assert asked(clean_machine)["totals"]["requests"] == len(main) >= 4


@pytest.mark.real
@pytest.mark.parametrize("model", [(), ("-m", "gpt-5.5")])
def test_what_codex_wrote_holds_the_tokens_that_its_upstream_said(clean_machine: Path, model: tuple[str, ...]) -> None:
    with upstream(numbered(codex_loop("ls; seq 1 500"), b'"resp_1"', b'"resp_%x"')) as up:
        project, env = codex_home(clean_machine, up.url + "/v1")
        ran = run("codex", "exec", *model, "--skip-git-repo-check", "list the files", home=clean_machine,
                  project=project, **env)  # fmt: skip
        assert ran.status == 0, ran.err
    path = next(clean_machine.rglob(".codex/sessions/**/*.jsonl"))
    found, number = asked(clean_machine), len(up.posts("/responses"))
    totals = found["totals"]
    cached = RESPONSES_USAGE["input_tokens_details"]["cached_tokens"]
    new = RESPONSES_USAGE["input_tokens"] - cached
    assert [totals[name] for name in ("requests", *TOKENS)] == [number, new * number, cached * number, 0, 50 * number]
    assert totals["cost_usd"] == pytest.approx(spent_by_codex(path), abs=1e-9)
    assert len(found["results"]) == 1
