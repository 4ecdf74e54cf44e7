"""Results made to be lost: texts and conversations in which a compressor could take something that an answer needs.

A fact survives where it can be read in what is sent, or where it names without doubt what to look at.
"""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lynkr.document import Document
from lynkr.formats import anthropic, gemini
from lynkr.kept import Kept
from lynkr.transforms.shaper import Shaper, alone
from lynkr.transforms.tool_results.stub import MARK

RECORDED = Path(__file__).parent.parent / "recorded"
Call = tuple[str, dict[str, Any]]


def squeezed(text: str, command: str) -> str:
    change = alone(text, command)
    return change.after if change else text


def told(*steps: tuple[str | Call, Any]) -> list[dict[str, Any]]:
    """A conversation of calls (a shell command, or a tool's name and arguments) and what they gave."""
    said: list[dict[str, Any]] = [{"role": "user", "content": "→ go on"}]
    for n, (call, given) in enumerate(steps):
        name, arguments = ("Bash", {"command": call}) if isinstance(call, str) else call
        use = {"type": "tool_use", "id": f"call{n}", "name": name, "input": arguments}
        result = {"type": "tool_result", "tool_use_id": f"call{n}", "content": given}
        said += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return said


def sent(messages: list[dict[str, Any]], shaper: Shaper | None = None) -> list[dict[str, Any]]:
    """The messages as they are sent."""
    body = json.dumps({"messages": messages}).replace("\\u2192", "→").encode()
    document = Document.read(body)
    shaped = (shaper or Shaper()).shape(document, anthropic.TALK, anthropic.passages)
    assert shaped.faults == 0
    found: list[dict[str, Any]] = json.loads(document.splice(list(shaped.edits)))["messages"]
    return found


def last(*steps: tuple[str | Call, Any], thin: bool = False) -> str:
    """What is sent of the last step's result."""
    found: str = sent(told(*steps), Shaper(thin=thin))[-1]["content"][0]["content"]
    return found


def numbered(*lines: str, sign: str = "→") -> str:
    return "\n".join(f"{n:6d}{sign}{line}" for n, line in enumerate(lines, 1))


def read(path: str) -> Call:
    return "Read", {"file_path": path}


CODE = [f"    statement_number_{n}(argument, other={n})" for n in range(1, 41)]
CHANGED = [line.replace("_20(argument", "_20(CHANGED") for line in CODE]
PACKAGE = json.dumps({"name": "x", "deps": {f"dep{n}": "1.0" for n in range(20)}}, indent=2)
SCRIPT = f"#!/bin/sh\n# {'-' * 60}\n# Deploys\n# {'-' * 60}\nset -e\n" + "run --it\n" * 3
LIKE_CHATTER = "\n".join(
    [f"tests/a.py::test_{n} PASSED [ {n}%]" for n in range(9)]
    + [
        "npm WARN deprecated a@1: no",
        "Collecting x",
        "   Compiling a v1.0.0",
        "[1/3] one",
        "#1 one",
        "=" * 70,
        "a  \r",
        "",
    ]
)

EXACT = {
    "a log of pytest": ("cat pytest.log", LIKE_CHATTER),
    "by way of cd and a shell": ("bash -lc 'cd src && cat notes.md'", LIKE_CHATTER),
    "a part, by sed": ("sed -n '1,20p' notes.md", LIKE_CHATTER),
    "by head and tail": ("head -n 50 notes.md | tail -n 20", LIKE_CHATTER),
    "by awk": ("awk 'NR<90' notes.md", LIKE_CHATTER),
    "several in a loop": ('for f in *.md; do cat "$f"; done', LIKE_CHATTER),
    "or else something": ("cat notes.md 2>/dev/null || echo none", LIKE_CHATTER),
    "JSON with its spaces": ("test -f package.json && cat package.json", PACKAGE),
    "CRLF, tabs and spaces at the end": ("cat a.txt", "\tone  \r\n two\t\r\n\r\n" * 20),
    "old Mac's line ends": ("cat a.csv", "name,age\rann,12\r" * 20),
    "one with a line of lynkr's": ("make", f"{MARK}lines 1-9 unchanged, as above]\n" + LIKE_CHATTER),
    "what lynkr expand gave": ("lynkr expand 1a2b3c4d5e", LIKE_CHATTER),
    "NaN, which is not JSON": ("curl x", "[\n" + ",\n".join(f'  {{"a": NaN, "b": {n}}}' for n in range(9)) + "\n]"),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_was_asked_for_as_it_stands_stays(name: str) -> None:
    command, text = EXACT[name]
    assert squeezed(text, command) == text


def failing(count: int) -> str:
    each = "____ test_{0} ____\n\n>       assert f({0}) == 9\nE       assert {0} == 9\n\ntests/test_{0}.py:{0}: AssertionError\n"
    return "=== FAILURES ===\n" + "".join(each.format(n) for n in range(1, count + 1))


DIFF = "--- a/x\n+++ b/x\n@@ -1,4 +1,9 @@\n one line of the context here\n"
ROWS = [{"id": n, "big": 12345678901234567890} for n in range(12)]

HOLDS: dict[str, tuple[str, str, list[str]]] = {
    "numbers keep their digits": (
        "curl x",
        "[" + ",\n".join(f'{{"a": 1.0, "b": 1e400, "c": {n}, "d": -0}}' for n in range(10**17, 10**17 + 9)) + "]",
        ["a=1.0", "b=1e400", "d=-0", *(str(n) for n in range(10**17, 10**17 + 9))],
    ),
    "large integers": ("curl x", json.dumps(ROWS, indent=1), ["12345678901234567890"]),
    "a text that looks like a number": ("curl x", json.dumps([{"v": str(n), "w": n} for n in range(50, 70)]), ['"53",53']),
    "errors before a carriage return": (
        "make",
        "".join(f"10%\rerror: a.c:{n}: bad\r{n}0% done\n" for n in range(9)),
        [f"error: a.c:{n}: bad" for n in range(9)],
    ),
    "each error of a linter": (
        "mypy .",
        "".join(f"src/m{n}.py:{n}: error: Incompatible types in assignment\n" for n in range(9)),
        ["error: Incompatible types in assignment", *(f"src/m{n}.py:{n}" for n in range(9))],
    ),
    "blank lines added by a diff": ("git diff", DIFF + "+one\n+\n+\n+def two():\n" * 9, ["+one\n+\n", "+def two():"]),
}  # fmt: skip


def once(why: str, command: str, text: str, *facts: str) -> Any:
    return pytest.param(command, text, list(facts), id=why)


LOST_ONCE = [
    once("a failing test's place moves away from it, to the first failure of its kind",
          "pytest", failing(5), "assert 3 == 9\n\ntests/test_3.py:3: AssertionError"),
    once("a warning's code loses its place where four others are alike", "gcc -c *.c",
          "".join(f"{c}.c:{n}:5: warning: unused variable 'x' [-W]\n    {n} | int x = {c};\n" for n, c in enumerate("abcde")),
          "c.c:2:5: warning: unused variable 'x' [-W]\n    2 | int x = c;"),
    once("the order of a log's lines is lost where each begins with a time", "python run.py",
          "".join(f"10:00:0{n} connecting to the database\n10:00:0{n} connection lost {n}\n" for n in range(6)),
          "10:00:03 connecting to the database\n10:00:03 connection lost 3"),
    once("subjects of commits are taken for cargo's steps", "git log -4", "".join(
          f"commit {n:040x}\nAuthor: A <a@b.c>\n\n    {what}\n\n" for n, what in enumerate(
          ["Updating docs for v2", "Adding retries to the client", "Installing hooks breaks, fix it", "Unpacking of tuples"])),
          "Adding retries to the client", "Installing hooks breaks, fix it"),
    once("what cargo update did is what was asked", "cargo update", "    Updating crates.io index\n     Locking 5 packages\n"
          "    Updating serde v1.0.100 -> v1.0.203\n    Updating tokio v1.3.0 -> v1.38.1\n      Adding windows-sys v0.52.0\n",
          "serde v1.0.100 -> v1.0.203"),
    once("results counted [1/10] are taken for steps of a build", "python predict.py",
          "".join(f"[{n}/9] image{n}.jpg: dog 0.9{n}\n" for n in range(1, 10)), "image3.jpg: dog 0.93"),
    once("items that begin with #1 are taken for docker's steps", "python todo.py",
          "".join(f"#{n} Buy {n} litres of milk and honey\n" for n in range(1, 10)), "Buy 3 litres"),
    once("what a RUN of a docker build printed", "docker build .", "#1 [internal] load build definition\n#1 DONE 0.0s\n"
          "#8 [4/5] RUN ./check\n#8 0.512 version is 3.11.7 and the answer 42\n#8 12.30 src/a.c:12: note: declared here\n",
          "the answer 42", "src/a.c:12: note: declared here"),
    once("a sure rule of pip's takes errors of the program that runs next", "pip install . && python sync.py",
          "Processing customers.csv: ERROR in row 7, 3 rows rejected\nDownloading report.pdf failed: HTTP 403\n"
          "------ FAILED tests/test_a.py::test_x at line 12\n", "ERROR in row 7", "HTTP 403", "test_a.py::test_x"),
    once("a sure rule of cargo's takes errors of the program that it runs", "cargo run", "   Compiling x v0.1.0\n"
          "    Finished dev\n    Updating balance: error, overdraft of 5 euros\n    Installing pump 4 failed: no pressure\n",
          "overdraft of 5 euros", "pump 4 failed"),
    once("a wheel that could not be built", "pip install .", "Collecting foo\n  Downloading foo-1.tar.gz (1 kB)\n"
          "  Getting requirements to build wheel: finished with status 'error'\n" + "  Using cached x\n" * 5, "'error'"),
    once("whether configure found something", "./configure", "".join(
          f"checking for lib{name}... {'no' if name == 'ssl' else 'yes'}\n" for name in ("a", "ssl", "z", "k", "m")), "ssl... no"),
    once("which task of gradle printed what", "gradle printVersion", "".join(
          f"> Task :module{n}:printVersion\n1.{n}.0\n" for n in range(6)), "> Task :module3:printVersion\n1.3.0"),
    once("lines of npm run that begin with info", "npm run totals", "$ node totals\n" + "".join(
          f"info total of shop {n} is {n * 7} euros\n" for n in range(5)), "shop 3 is 21 euros"),
    once("lines with a triangle, and not even a stub says so", "node totals.js", "".join(
          f"▶ query {n} gave {n * 7} rows and 3 columns\n" for n in range(5)), "query 3 gave 21 rows"),
    once("rows of a query are taken for lines of a log", "psql -c 'select * from payments'", "".join(
          f" 2024-01-{n % 28 + 1:02d} 10:00:{n:02d} | {n * 37} | paid {n * 13}.50\n" for n in range(45)), "paid 260.50"),
    once("commits with a date are taken for lines of a log", "git log --format='%h %ad %s' --date=iso", "".join(
          f"{n * 7919 + 0xABC1230:07x} 2024-01-{n % 28 + 1:02d} 10:00:00 +0000 Bump version to {n}\n" for n in range(45)),
          "Bump version to 30\n"),
    once("processes are taken for lines of a log", "ps -ef", "".join(
          f"app {1000 + n} 1 0 10:00 ? 00:00:{n:02d} worker --port {8000 + n}\n" for n in range(45)), "--port 8020"),
    once("errors at many places that differ in an id", "python check.py", "".join(
          f"2024-01-01 10:00:{n:02d} ERROR commit {n * 7919 + 0x1BC1230:07x} is broken\n" for n in range(45)),
          f"{20 * 7919 + 0x1BC1230:07x}"),
    once("fractions of a query's times are its values", "psql -c 'select at, id'", "".join(
          f"2024-01-01 10:00:0{n // 4}.12345{n}|{n}|amount {n}\n" for n in range(12)), "10:00:01.123455|5|"),
    once("bars of a histogram", "python hist.py", "".join(f"{'#' * (10 + 3 * n)} {n}\n" for n in range(6)), "#" * 25 + " 5"),
    once("a diff of line ends says twice the same", "git diff", DIFF + "-changed its end\r\n+changed its end\n" * 4,
          "-changed its end\r\n+changed its end\n"),
    once("spaces at the end of a match, where there are carriage returns", "grep -n x a.txt",
          "".join(f"{n}:x = {n}  \r\n" for n in range(20)), "3:x = 3  "),
    once("a text with old Mac's line ends is gone but for its last line", "git show HEAD:a.csv",
          "name,age\rann,12\rbob,13\r" * 9 + "end", "ann,12"),
    once("a file from git loses its spaces", "git show HEAD:package.json", PACKAGE, PACKAGE),
    once("a file before another command loses its spaces", "cat package.json && node --version", PACKAGE + "\nv22\n", PACKAGE),
    once("a file in a container loses its spaces", "docker exec app cat package.json", PACKAGE, PACKAGE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "text", "facts"), [*(pytest.param(*HOLDS[name], id=name) for name in HOLDS), *LOST_ONCE]
)
def test_a_fact_survives(command: str, text: str, facts: list[str]) -> None:
    after = squeezed(text, command)
    assert [fact for fact in facts if fact not in after] == []


NEEDLES = (
    "src/zz.py:77: error: {} is wrong", "    {} = compute(indented)", "  {} item of a list", "E   AssertionError: {} != 5",
    "FAILED tests/x.py::test_{} - assert 1 == 2", "+{} added", "-{} removed", "{}.c:3:4: warning: unused", "ERROR {}",
    "    at Object.<anonymous> (src/{}.test.js:12:5)", "--- FAIL: Test{} (0.00s)", "    {}_test.go:12: got 1, want 2",
    "test {} ... FAILED", "  ● suite › {}", "not ok 3 - {}", "{}: 12", "| {} | 5 |", "\t{}\t5", "{} ok", "[{}] done",
    "  File \"/a/{}.py\", line 12, in x", "Installing {} is wrong", "Found {} at 12", "{} XFAIL", "Value {}: 12 ms",
)  # fmt: skip


@pytest.mark.parametrize("program", sorted(path.name for path in RECORDED.iterdir() if path.is_dir()))
def test_what_is_slipped_into_real_output_survives(program: str) -> None:
    lost = list[str]()
    for path in sorted((RECORDED / program).glob("*.out")):
        lines = path.read_bytes().decode("utf-8", "replace").split("\n")
        words = [f"needle{n}q" for n in range(len(NEEDLES))]
        half = len(lines) // 2
        slipped = [needle.format(word) for needle, word in zip(NEEDLES, words, strict=True)]
        command = tomllib.loads(path.with_suffix(".toml").read_text("utf-8"))["command"]
        after = squeezed("\n".join([*lines[:half], *slipped, *lines[half:]]), command)
        lost += [f"{path.name}: {line}" for line, word in zip(slipped, words, strict=True) if word not in after]
    assert lost == []


def test_after_a_revert_a_reader_finds_the_file_as_it_is_again() -> None:
    steps = [(read("/r/a.py"), numbered(*CODE)), (read("/r/a.py"), numbered(*CHANGED))]
    after = last(*steps, ("git checkout a.py", "Updated 1 path"), (read("/r/a.py"), numbered(*CODE)))
    assert "_20(argument" in after or "no. 1" in after, after


def test_lines_around_a_match_can_be_told_from_the_match() -> None:
    around = "\n".join(f"{n}{':' if n == 20 else '-'}{CODE[n - 1]}" for n in range(17, 24))
    assert "20:" in last((read("/r/a.py"), numbered(*CODE)), ("grep -n -C3 number_20 a.py", around))


def test_context_of_a_diff_does_not_read_like_what_it_adds() -> None:
    added = DIFF + "\n".join("+" + line for line in CODE[:8]) + "\n last"
    context = DIFF + "\n".join(" " + line for line in CODE[:8]) + "\n+# one more\n last"
    after = last(("git diff", added), ("git diff --cached", context))
    assert not re.search(r"\[lynkr: \d+ more lines, as after this one above\]", after)


def test_what_an_edit_did_otherwise_than_asked_is_shown() -> None:
    before = ["int main(void) {", "    call_first();", "    call_second();", "}"]
    result = ["int main(void) {", "    call_second();", "    call_second();", "    call_first();", "}", "}"]
    edit = "Edit", {"file_path": "/r/a.c", "old_string": "\n".join(before[1:3]), "new_string": "\n".join(result[2:4])}
    said = "The file /r/a.c has been updated. Here's the result of running `cat -n` on a snippet of the edited file:\n"
    after = last((read("/r/a.c"), numbered(*before)), (edit, said + numbered(*result)))
    assert after.count("call_second") == 2 and after.count("}") == 2


@pytest.mark.parametrize(
    "tool", ["str_replace_based_edit_tool", "mcp__filesystem__read_text_file", "mcp__github__get_file_contents"]
)
@pytest.mark.parametrize("text", [PACKAGE, SCRIPT], ids=["JSON", "rulers"])
def test_a_file_that_another_tool_shows_stays(tool: str, text: str) -> None:
    command = {"command": "view"} if tool.startswith("str_replace") else {}
    assert last(((tool, {**command, "path": "/r/file"}), text)) == text


def test_a_reference_tells_two_files_of_one_name_apart() -> None:
    one, two = numbered(*CODE), numbered(*(line.replace("_3(", "_X(") for line in CODE))
    after = last((read("/one/src/a.py"), one), (read("/two/src/a.py"), two), (read("/three/src/b.py"), one))
    assert "_3(" in after or "one/src/a.py" in after, after


@pytest.mark.parametrize("path", ["/r/foo (no. 2).txt", "/r/foo (no. 2) (no. 3).txt"])
def test_a_name_that_looks_like_a_count_breaks_nothing(path: str) -> None:
    assert last((read(path), "x" * 200)) == "x" * 200


@pytest.mark.parametrize(
    "text", ['{"emoji": "\\ud83d", "id": 7}', "half an emoji \ud83d"], ids=["in its JSON", "as it is"]
)
def test_half_an_emoji_breaks_nothing(text: str) -> None:
    assert last(("curl x", f"{'=' * 60}\n[{','.join([text] * 9)}]\n{'=' * 60}\n"))


@pytest.mark.parametrize(("command", "text"), [
    ("cat ids.tsv", "\n".join(f"{n}\tuser{n}\t{n * 7 % 13}" for n in range(1, 26))),
    ("bat a.py", "\n".join(f"{n:3d}| text {n}" for n in range(1, 26))),
], ids=["first column of data", "numbers before a bar"])  # fmt: skip
def test_thin_line_numbers_leave_data_and_columns(command: str, text: str) -> None:
    after = last((command, text), thin=True)
    assert "7\tuser7" in after if "\t" in text else "| text 7" in after


def test_a_long_line_refers_to_words_that_go_on_in_one_way_only() -> None:
    begun = "the common beginning of this long line, which is identical in all of them; "
    first, other = (begun + " ".join(f"{word}{n}" for n in range(60)) for word in ("alpha", "beta"))
    after = squeezed(f"{first}\n{other}\n{first} and then\n", "python x").split("\n")[2]
    assert not after.startswith(begun[:32] + MARK)


def google(*turns: tuple[list[str], list[str] | None]) -> Document:
    """A conversation whose calls have no ids, as Google's clients may leave them out."""
    said: list[dict[str, Any]] = [{"role": "user", "parts": [{"text": "hi"}]}]
    for commands, given in turns:
        calls = [{"functionCall": {"name": "sh", "args": {"command": command}}} for command in commands]
        said.append({"role": "model", "parts": calls})
        if given is not None:
            outputs = [{"functionResponse": {"name": "sh", "response": {"output": text}}} for text in given]
            said.append({"role": "user", "parts": outputs})
    return Document.read(json.dumps({"contents": said}).encode())


def test_results_of_calls_without_ids_belong_to_their_calls_in_order() -> None:
    document = google((["cat package.json", "pytest -q"], [PACKAGE, "ok"]))
    assert Shaper().shape(document, gemini.TALK, gemini.passages).edits == ()


def test_a_fork_behind_a_call_without_an_id_gives_what_a_restart_gives() -> None:
    old, new = (
        google((["ls"], ["x"]), (["ls"], ["y"]), (["cat package.json"], [given]), (["ls"], ["z"]))
        for given in ("old", PACKAGE)
    )
    shaper = Shaper()
    shaper.shape(old, gemini.TALK, gemini.passages)
    again = Shaper().shape(new, gemini.TALK, gemini.passages)
    assert shaper.shape(new, gemini.TALK, gemini.passages).edits == again.edits


def test_what_the_client_took_out_is_not_referred_to() -> None:
    shown: tuple[str | Call, Any] = (read("/r/a.py"), numbered(*CODE))
    shaper, steps = Shaper(), [shown, ("ls", "x"), shown]
    assert MARK in sent(told(*steps), shaper)[-1]["content"][0]["content"]
    steps[0] = (read("/r/a.py"), "[Old tool result content cleared]")
    assert sent(told(*steps), shaper) == told(*steps) == sent(told(*steps))


def test_odd_results_break_nothing() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    text = {"type": "text", "text": "error: a.c:1: bad\n" * 20}
    odd: list[Any] = [None, 5, [], [image, text, image, {"type": "text"}, text], "x", [["x"]]]
    results = [{"type": "tool_result", "tool_use_id": "same", "is_error": True, "content": given} for given in odd]
    results += [{"type": "tool_result", "tool_use_id": ["no id"]}, {"type": "tool_result"}]
    uses = [{"type": "tool_use", "id": "same", "name": "Bash", "input": {"command": c}} for c in ("cat a", "make")]
    after = sent([{"role": "assistant", "content": uses}, {"role": "user", "content": results}])[1]["content"]
    assert after[3]["content"][0] == image and "error: a.c:1: bad" in after[3]["content"][1]["text"]
    assert [given["content"] for given in after[:3]] == [None, 5, []]


# A command, and a text of about so many characters.
GROWING: dict[str, tuple[str, Callable[[int], str]]] = {
    "one sign": ("python x", lambda n: "a" * n),
    "words": ("python x", lambda n: "some words " * (n // 11)),
    "brackets of JSON that has no end": ("python x", lambda n: "[" * n),
    "tags": ("curl x", lambda n: "<div>" * (n // 5)),
    "dashes and figures": ("grep x", lambda n: "x/y.py:1:z\n" + "a-1" * (n // 3)),
    "backspaces": ("python x", lambda n: "a" * (n // 2) + "\b" * (n // 2)),
    "a ruler after pip": ("pip install x", lambda n: "Collecting x\n" + "-" * n),
    "colons after pytest": ("pytest", lambda n: "::" * (n // 2)),
    "figures": ("python x", lambda n: "1" * n),
    "lists that begin on every line": ("python x", lambda n: "[\n" * (n // 2)),
    "two lines by turns": ("cat x", lambda n: "abcdef\nghijkl\n" * (n // 14)),
    "the same line": ("cat x", lambda n: "abcdefgh\n" * (n // 9)),
    "carriage returns": ("make", lambda n: "some words 10%\r" * (n // 15)),
    "passed tests": ("pytest -v", lambda n: "".join(f"tests/a.py::test_{k} PASSED\n" for k in range(n // 28))),
    "a log": ("python x", lambda n: "".join(f"2026-01-01 10:00:{k % 60:02d} INFO step {k}\n" for k in range(n // 35))),
    "long lines that begin alike": ("curl x", lambda n: "".join(f"{'word ' * 40}{k}\n" for k in range(n // 204))),
}


def seconds(command: str, text: str) -> float:
    taken = list[float]()
    for _ in range(3):
        begun = time.process_time()
        squeezed(text, command)
        taken.append(time.process_time() - begun)
    return min(taken)


@pytest.mark.parametrize("name", GROWING)
def test_work_grows_with_the_text_and_not_with_its_square(name: str) -> None:
    command, text = GROWING[name]
    few, many = seconds(command, text(8_000)), seconds(command, text(64_000))
    assert many < 24 * few + 0.01


def test_a_key_with_a_dot_is_told_from_a_key_within() -> None:
    dotted, nested = (
        [{"a.b": n, "id": n} if d else {"a": {"b": n}, "id": n} for n in range(12)] for d in (True, False)
    )
    both = [{"a.b": n, "a": {"b": n + 50}} for n in range(12)]
    heads = [squeezed(json.dumps(rows, indent=1), "curl x").split("\n")[0] for rows in (dotted, nested, both)]
    assert [head.partition("columns: ")[2] for head in heads] == ['"a.b",id]', "a.b,id]", '"a.b",a.b]']


def test_json_that_is_nested_deeply_leaves_the_command_alive() -> None:
    assert squeezed('{"a":' * 600 + "1" + "}" * 600, "curl x").startswith('{"a":')


@pytest.mark.parametrize("identity", ["../../secret", "*", "", "?" * 10, "[a]b", "ab/cd", "ab\n", "٣٤", "e" * 65, "\0"])
def test_no_id_leads_out_of_the_folder(tmp_path: Path, identity: str) -> None:
    kept = Kept(tmp_path / "kept")
    kept.put("ab12345678", "text")
    (tmp_path / "secret.txt").write_text("secret")
    assert kept.get(identity) is None
    assert kept.get("ab1") == "text"


def test_an_original_that_is_pruned_meanwhile_is_said_to_be_gone(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.put("ab12345678", "text")
    kept.prune(time.time() + 15 * 86400)
    assert kept.get("ab12345678") is None
    kept.put("ab12345678", "text")
    assert kept.get("ab12345678") == "text"
