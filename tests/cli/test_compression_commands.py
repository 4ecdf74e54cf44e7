"""`lynkr squeeze`, `expand`, `cache` and `report --changes`, alone and after a session that compressed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import lynkr, profile
from scripts import anthropic, upstream

TESTS = "\n".join(
    ["=" * 30 + " test session starts " + "=" * 30, *(f"tests/test_a.py::test_{n} PASSED  [{n}%]" for n in range(60)),
     "tests/test_a.py::test_last FAILED", "E       assert 1 == 2", "tests/test_a.py:7: AssertionError",
     "=" * 20 + " 1 failed, 60 passed in 0.12s " + "=" * 20, ""]
)  # fmt: skip


@pytest.fixture
def output(clean_machine: Path) -> Path:
    path = clean_machine / "out.txt"
    path.write_text(TESTS)
    return path


def test_what_would_be_sent_is_printed_and_its_original_can_be_had_back(clean_machine: Path, output: Path) -> None:
    ran = lynkr("squeeze", str(output), "--command", "pytest -v", home=clean_machine)
    assert (ran.status, ran.err) == (0, "")
    assert "1 failed, 60 passed" in ran.out
    assert "test_59 PASSED" not in ran.out
    identity = ran.out.partition("all of it: lynkr expand ")[2].partition("]")[0]
    assert lynkr("expand", identity, home=clean_machine).out == TESTS
    assert lynkr("expand", identity[:5].upper(), home=clean_machine).out == TESTS
    piped = lynkr("squeeze", "-", "--command", "pytest -v", home=clean_machine, stdin=TESTS)
    assert piped.out == ran.out


def test_as_json_it_says_what_went(clean_machine: Path, output: Path) -> None:
    ran = lynkr("squeeze", str(output), "--command", "pytest -v", "--json", home=clean_machine)
    found = json.loads(ran.out)
    assert found["before"] == {"characters": len(TESTS), "lines": TESTS.count("\n") + 1}
    assert found["after"]["characters"] == len(found["text"])
    assert sum(cut["characters"] for cut in found["cuts"]) == len(TESTS) - len(found["text"])
    assert found["saved"] == pytest.approx(1 - len(found["text"]) / len(TESTS), abs=1e-4)
    assert found["left_out"] == [f"[lynkr: left out 60 passed tests; all of it: lynkr expand {found['id']}]"]


def test_what_cannot_be_shortened_comes_as_it_was(clean_machine: Path) -> None:
    path = clean_machine / "code.py"
    path.write_bytes(b"".join(b"\tprint('%d')  \r\n\r\n\xe9\n" % n for n in range(20)))
    ran = lynkr("squeeze", str(path), "--tool", "Read", "--json", home=clean_machine)
    found = json.loads(ran.out)
    assert found["text"] == path.read_bytes().decode("utf-8", "replace")
    assert (found["id"], found["saved"], found["cuts"], found["left_out"]) == (None, 0.0, [], [])
    empty = lynkr("squeeze", "-", home=clean_machine, stdin="")
    assert (empty.status, empty.out) == (0, "")


def test_what_cannot_be_read_or_found_is_said_in_a_line(clean_machine: Path) -> None:
    missing = lynkr("squeeze", "no/such/file", home=clean_machine)
    assert (missing.status, missing.err) == (2, "lynkr: no/such/file cannot be read: No such file or directory\n")
    folder = lynkr("squeeze", str(clean_machine), home=clean_machine)
    assert (folder.status, folder.err.count("\n")) == (2, 1)
    both = lynkr("squeeze", "-", "--command", "a", "--tool", "b", home=clean_machine)
    assert (both.status, "exclude each other" in both.err) == (2, True)
    for wanted in ("0123456789", "../../x", "*"):
        ran = lynkr("expand", wanted, home=clean_machine)
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith(f"lynkr: there is no original {wanted!r}; ids stand in")


def test_what_is_kept_is_counted_and_cleared(clean_machine: Path, output: Path) -> None:
    assert lynkr("cache", "show", home=clean_machine).out == "nothing is kept: no result has been compressed yet\n"
    lynkr("squeeze", str(output), "--command", "pytest -v", home=clean_machine)
    shown = json.loads(lynkr("cache", "show", "--json", home=clean_machine).out)
    assert (shown["originals"], shown["bytes"]) == (1, len(TESTS))
    kept = Path(shown["folder"])
    assert all(path.stat().st_mode & 0o077 == 0 for path in [kept, *kept.rglob("*")])
    assert lynkr("cache", "clear", home=clean_machine).out == "removed 1 original (0.0 MB)\n"
    assert json.loads(lynkr("cache", "show", "--json", home=clean_machine).out)["originals"] == 0


def _client(again: str) -> str:
    """A tool whose model has run pytest; `again` says what it does when it sees the stub."""
    return f"""
import json, os, subprocess, urllib.request as u
text = open("out.txt").read()
messages = [
    {{"role": "user", "content": "mend it"}},
    {{"role": "assistant", "content": [{{"type": "tool_use", "id": "t1", "name": "Bash", "input": {{"command": "pytest -v"}}}}]}},
    {{"role": "user", "content": [{{"type": "tool_result", "tool_use_id": "t1", "content": text}}]}},
]
for _ in range(2):
    body = json.dumps({{"model": "claude-haiku-5-5", "max_tokens": 9, "messages": messages}}).encode()
    u.urlopen(u.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", body)).read()
{again}
"""


def test_a_session_lists_its_changes_and_its_model_gets_an_original_back(clean_machine: Path, output: Path) -> None:
    """Also where lynkr was called by its path and is not on PATH."""
    again = (
        'print(subprocess.run("lynkr expand " + os.environ["ID"], shell=True, capture_output=True, text=True).stdout)'
    )
    squeezed = json.loads(lynkr("squeeze", str(output), "--command", "pytest -v", "--json", home=clean_machine).out)
    lynkr("cache", "clear", home=clean_machine)
    with upstream(anthropic()) as up:
        profile(clean_machine, "work", f'[lanes.a]\nprovider = "anthropic"\nbase_url = "{up.url}"\n')
        words = ("run", "-p", "work", "--", sys.executable, "-c", _client(again))
        env = {"ANTHROPIC_API_KEY": "sk-a", "PATH": "/usr/bin:/bin", "ID": squeezed["id"]}
        ran = lynkr(*words, home=clean_machine, **env)
    assert ran.status == 0, ran.err
    assert ran.out == TESTS + "\n"
    sent = [asked.json["messages"][-1]["content"][0]["content"] for asked in up.posts("/v1/messages")]
    assert sent == [squeezed["text"]] * 2

    values = ran.report()
    assert values["savings"]["tokens_removed"] > 0
    assert sum(kind["tokens_removed"] for kind in values["savings"]["kinds"]) == values["savings"]["tokens_removed"]
    assert values["savings"]["compression_usd"] > 0
    assert values["savings"]["faults"] == 0
    assert values["totals"]["baseline_usd"] == pytest.approx(
        values["totals"]["cost_usd"] + values["savings"]["compression_usd"]
    )

    changes = json.loads(lynkr("report", "--changes", "--json", home=clean_machine).out)
    assert [(each["before"], each["after"], each["result_of"]) for each in changes] == [(TESTS, sent[0], "`pytest -v`")]
    shown = lynkr("report", "--changes", home=clean_machine).out
    assert "1. `pytest -v`" in shown
    assert f"before: lynkr expand {squeezed['id']}" in shown
    assert "more lines; all of them with --full" in shown
    assert "test_59 PASSED" not in shown
    assert "test_59 PASSED" in lynkr("report", "--changes", "--full", home=clean_machine).out
    assert lynkr("report", "--full", home=clean_machine).status == 2


def test_a_session_without_compression_says_so(clean_machine: Path, output: Path) -> None:
    with upstream(anthropic()) as up:
        profile(clean_machine, "work", f'[lanes.a]\nprovider = "anthropic"\nbase_url = "{up.url}"\n')
        words = ("run", "-p", "work", "--no-compress", "--", sys.executable, "-c", _client(""))
        ran = lynkr(*words, home=clean_machine, ANTHROPIC_API_KEY="sk-a")
    assert ran.status == 0, ran.err
    assert up.posts("/v1/messages")[0].json["messages"][-1]["content"][0]["content"] == TESTS
    assert ran.report()["savings"]["tokens_removed"] == 0
    changes = lynkr("report", "--changes", home=clean_machine).out
    assert changes == "No result was changed in this session.\n"


def test_where_nothing_can_be_kept_nothing_is_left_out_that_could_not_be_had_back(
    clean_machine: Path, output: Path
) -> None:
    with upstream(anthropic()) as up:
        profile(clean_machine, "work", f'[lanes.a]\nprovider = "anthropic"\nbase_url = "{up.url}"\n')
        (clean_machine / "lynkr" / "data").mkdir(parents=True)
        (clean_machine / "lynkr" / "data" / "kept").write_text("a file stands in its place")
        words = ("run", "-p", "work", "--", sys.executable, "-c", _client(""))
        ran = lynkr(*words, home=clean_machine, ANTHROPIC_API_KEY="sk-a")
    assert ran.status == 0
    assert ran.err.count("cannot be written to: tool results keep what could not be had back") == 1
    sent = [asked.json["messages"][-1]["content"][0]["content"] for asked in up.posts("/v1/messages")]
    assert sent[0] == sent[1]
    assert "lynkr expand" not in sent[0]
    assert "test_59 PASSED" in sent[0]
    assert sent[0].startswith("=== test session starts ==="), "what loses nothing is still done"


def test_changes_that_were_cleared_are_said_to_be_gone(clean_machine: Path, output: Path) -> None:
    with upstream(anthropic()) as up:
        profile(
            clean_machine,
            "work",
            f'[lanes.a]\nprovider = "anthropic"\nbase_url = "{up.url}"\n[compress]\nterse = "lite"\n',
        )
        lynkr(
            "run", "-p", "work", "--", sys.executable, "-c", _client(""), home=clean_machine, ANTHROPIC_API_KEY="sk-a"
        )
    shown = lynkr("report", "--changes", home=clean_machine).out
    assert shown.startswith("system prompt changed in 2 requests: asks for few words: terse = lite\n\n1. `pytest -v`")
    lynkr("cache", "clear", home=clean_machine)
    assert (
        "is not kept any more (two weeks, or lynkr cache clear)" in lynkr("report", "--changes", home=clean_machine).out
    )


def test_a_beginning_that_fits_two_says_which(clean_machine: Path) -> None:
    for name in ("7e97aaaaaa", "7e97bbbbbb"):
        folder = clean_machine / "lynkr" / "data" / "kept" / "originals" / "7e"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.txt").write_text(name)
    ran = lynkr("expand", "7e97", home=clean_machine)
    assert (ran.status, ran.err) == (1, "lynkr: '7e97' fits 2 originals; give more of it: 7e97aaaaaa, 7e97bbbbbb\n")
    assert lynkr("expand", "7e97b", home=clean_machine).out == "7e97bbbbbb"


def test_a_dry_run_and_a_profile_say_what_is_compressed(clean_machine: Path) -> None:
    lanes = '[lanes.a]\nprovider = "anthropic"\n[lanes.b]\nprovider = "anthropic"\nauth = "client"\n'
    profile(clean_machine, "work", lanes + '[compress]\nterse = "ultra"\nwithout_tools = ["mcp__x__*"]\n')
    shown = lynkr("profile", "show", "work", home=clean_machine).out
    assert "  compressed: tool results, without tools mcp__x__*, terse ultra\n" in shown
    assert "  compressed: without tools mcp__x__*, terse ultra\n" in shown
    for options, said in (((), "tool results, without tools mcp__x__*, terse ultra"), (("--no-compress",), "nothing")):
        words = ("run", "-p", "work", "--lane", "a", *options, "--dry-run", "--", "true")
        assert f"  compressed: {said}\n" in lynkr(*words, home=clean_machine, ANTHROPIC_API_KEY="sk-a").out
