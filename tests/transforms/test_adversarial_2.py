"""Results and conversations made to be lost, second round: what other clients, wrappers and runners do to them.

Each is what a real program or client writes, shortened, and cost an answer once.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from lynkr.document import Document
from lynkr.formats import anthropic, gemini, openai_chat, openai_responses
from lynkr.transforms.shaper import Shaper, alone

PACKAGE = json.dumps({"name": "x", "deps": {f"dep{n}": "1.0" for n in range(20)}}, indent=2)
CMAKE = f"{'#' * 60}\n# Options\n{'#' * 60}\noption(FOO)\n" * 2
Talk = list[dict[str, Any]]


def squeezed(text: str, command: str) -> str:
    change = alone(text, command)
    return change.after if change else text


def sent(talk: Talk, client: ModuleType = anthropic, *, thin: bool = False) -> Talk:
    document = Document.read(json.dumps({client.TALK: talk}).encode())
    shaped = Shaper(thin=thin).shape(document, client.TALK, client.passages)
    assert shaped.faults == 0
    found: Talk = json.loads(document.splice(list(shaped.edits)))[client.TALK]
    return found


def last(*steps: tuple[str | tuple[str, dict[str, Any]], str], thin: bool = False) -> str:
    """What is sent of the last step's result; a step is a command, or a tool and its arguments, and what it gave."""
    talk: Talk = []
    for n, (call, given) in enumerate(steps):
        name, arguments = ("Bash", {"command": call}) if isinstance(call, str) else call
        use = {"type": "tool_use", "id": f"call{n}", "name": name, "input": arguments}
        result = {"type": "tool_result", "tool_use_id": f"call{n}", "content": given}
        talk += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    found: str = sent(talk, thin=thin)[-1]["content"][0]["content"]
    return found


def once(name: str, *values: object) -> Any:
    """A case that once failed."""
    return pytest.param(*values, id=name)


def lines(pattern: str, count: int = 12) -> str:
    return "".join(pattern.format(n=n, s=n // 4) + "\n" for n in range(count))


# --- a file that was asked for, by other clients and through other commands ---


def _custom(name: str, said: str) -> Talk:
    call = {"type": "custom_tool_call", "call_id": "c", "name": name, "input": said}
    return [call, {"type": "custom_tool_call_output", "call_id": "c", "output": PACKAGE}]


def _google(call: dict[str, Any], given: dict[str, Any]) -> Talk:
    calls = [{"functionCall": {"name": "sh", "args": {"command": c}} | call} for c in ("cat package.json", "make")]
    results = [{"functionResponse": {"name": "sh", **given}} for _ in calls]
    return [{"role": "model", "parts": calls}, {"role": "user", "parts": results}]


CODE_MODE = 'const r = await tools.exec_command({cmd:"cat package.json"}); text(r.output);'
FREE = {"id": "c", "type": "custom", "custom": {"name": "bash", "input": "cat package.json"}}
CHAT: Talk = [
    {"role": "assistant", "tool_calls": [FREE]},
    {"role": "tool", "tool_call_id": "c", "content": PACKAGE},
]
TWO: Talk = [
    {"type": "shell_call", "call_id": "c", "action": {"commands": ["npm test", "cat package.json"]}},
    {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "ok"}, {"stdout": PACKAGE}]},
]


@pytest.mark.parametrize(("client", "talk"), [
    once("Codex's code mode: the command stands in JavaScript", openai_responses, _custom("exec", CODE_MODE)),
    once("a custom tool: its input is the command", openai_responses, _custom("bash", "cat package.json")),
    once("a custom tool of Chat Completions", openai_chat, CHAT),
    once("previous_response_id: the call is not in the request", openai_responses, _custom("x", "")[1:]),
    once("shell_call with two commands, taken for one", openai_responses, TWO),
    once("an id in the functionResponse only", gemini, _google({}, {"id": "sh-1", "response": {"output": PACKAGE}})),
    once("no ids, and a text before the output counts as a result of its own", gemini,
           _google({}, {"response": {"status": "success", "output": PACKAGE}})),
])  # fmt: skip
def test_a_file_stays_as_it_is_whatever_the_client(client: ModuleType, talk: Talk) -> None:
    assert json.dumps(PACKAGE) in json.dumps(sent(talk, client))


@pytest.mark.parametrize(("command", "text"), [
    once("docker-compose exec", "docker-compose exec web cat package.json", PACKAGE),
    once("sudo with a user", "sudo -u deploy cat package.json", PACKAGE),
    once("heroku run", "heroku run cat package.json", PACKAGE),
    once("a .txt that is no log", "sed -n '1,80p' CMakeLists.txt; git status --short", CMAKE),
    once("a name without a dot", "head -50 Makefile && git status --short", CMAKE),
    once("a name that begins with a figure", "tail -n 50 0001_init.sql && git status", CMAKE.replace("#", "-")),
])  # fmt: skip
def test_a_file_stays_as_it_is_whatever_shows_it(command: str, text: str) -> None:
    assert squeezed(text, command) == text


# --- facts ---

GO = lines("=== RUN   Test{n}\n--- PASS: Test{n} (0.00s)")
TOP = lines("> Task :app:classes UP-TO-DATE", 4)
BYTES = "9f86d081884c7d65" * 40


@pytest.mark.parametrize(("command", "text", "facts"), [
    once("npm pack lists the files as notices", "npm pack --dry-run 2>&1",
           "npm notice Tarball Contents\n" + lines("npm notice {n}.1kB dist/file{n}.js") + "x-1.0.0.tgz\n", ["dist/file3.js"]),
    once("make -n says what would run", "make -n", lines("gcc -DFLAG_{n} -c src/m{n}.c -o m{n}.o"), ["-DFLAG_3"]),
    once("ninja -v says what runs", "ninja -v", lines("[{n}/19] /usr/bin/c++ -DFLAG_{n} -c m{n}.cc"), ["-DFLAG_3"]),
    once("gradle --dry-run lists the tasks", "./gradlew build --dry-run",
           lines(":core:task{n} SKIPPED") + "\nBUILD SUCCESSFUL in 1s\n", [":core:task3"]),
    once("gradle -q lists modules", "./gradlew -q listModules", lines(":feature:module{n}"), [":feature:module3"]),
    once("which of two modules a test failed in", "./gradlew test --continue",
           TOP + "".join(f"> Task :{m}:test\n\nFooTest > adds() FAILED\n    Error at FooTest.java:{n}\n\n" for n, m in
                         enumerate(("app", "lib"))), [":app:test", ":lib:test"]),
    once("tsc --listEmittedFiles", "npm run build -- --listEmittedFiles",
           "> a@1.0.0 build\n> tsc\n\n" + lines("TSFILE: /r/dist/mod{n}.js"), ["dist/mod3.js"]),
    once("numbered items of a script that npm runs", "npm run migrate",
           "> a@1.0.0 migrate\n> node m.js\n\n" + lines("[{n}/12] Applying 00{n}_users.sql to shop_eu..."), ["003_users.sql"]),
    once("the suite of a failing test, where several have one of that name", "node --test",
           "".join(f"▶ parser of {w}\n  ✔ reads all of them well (0.5ms)\n  ✖ handles empty input (0.7ms)\n" for w in
                   ("dates", "sums", "names", "times", "parts")) + "ℹ tests 10\n", ["parser of sums"]),
    once("whose output follows a blank line, among parallel tests", "go test -v ./...",
           GO + "=== CONT  TestA\nstarting\n=== CONT  TestB\n\nresponse was 500\n=== CONT  TestA\n--- FAIL: TestB (0.00s)\n",
           ["=== CONT  TestB\n\nresponse was 500"]),
    once("an assertion about long encoded values differs at their ends", "go test ./...",
           f"--- FAIL: TestSum (0.00s)\n    a_test.go:12: got {BYTES}aa\n        want {BYTES}bb\nFAIL\n", ["aa\n", "bb\n"]),
    once("pino: level 50 is an error", "docker logs app",
           lines('{{"level":50,"time":17000{n:02},"pid":1,"msg":"payment of order 40{n:02} declined"}}', 45), ["order 4020 "]),
    once("JSON lines: a status of 503 is no success", "docker logs app",
           lines('{{"level":"info","time":"2024-01-01T10:00:{n:02}","path":"/orders/40{n:02}","status":503,"ms":{n}}}', 45),
           ["/orders/4020"]),
    once("psql for another user is not known for psql", "sudo -u postgres psql -c 'select * from audit'",
           lines(" 2024-01-01 10:00:{n:02} | INFO | user {n} paid {n}.50", 45), ["paid 20.50"]),
    once("psql in a container", "docker compose exec db psql -c 'select * from audit'",
           lines(" 2024-01-01 10:00:{n:02} | INFO | user {n} paid {n}.50", 45), ["paid 20.50"]),
    once("a first column of times is gone where it repeats", "docker exec db mysql -e 'select at, id from p'",
           lines("2024-01-01 10:00:0{s}.12345{s}\t{n}\tamount {n}"), ["10:00:01.123451\t5\tamount 5"]),
    once("what happened when: a log with places", "go run .",
           lines("main.go:57: connecting to the database\nmain.go:61: connection lost, waiting", 5)
           + "main.go:70: connected at last to it\nmain.go:61: connection lost, waiting\n",
           ["connected at last to it\n61: connection lost"]),
    once("two words of which one was removed, told apart by colour alone", "git diff --color-words",
           "\x1b[1m--- a/a\x1b[m\n\x1b[1m+++ b/a\x1b[m\n\x1b[36m@@ -1 +1 @@\x1b[m\n"
           + "the quick \x1b[31mbrown\x1b[m\x1b[32mred\x1b[m fox jumps over it\n" * 3, ["\x1b[31mbrown"]),
    once("rows of a grid", "python maze.py", "##########\n#..O..O.O#\n#.OO.....#\n##########\n" + "moves " * 20,
           ["##########"]),
    once("versions that apt installed", "apt-get install -y nginx", "Reading package lists...\nBuilding dependency tree...\n"
           "Unpacking nginx (1.22.1-9) ...\nSetting up nginx (1.22.1-9) ...\n" + "Setting up x (1) ...\n" * 3, ["1.22.1-9"]),
    once("versions that terraform uses", "terraform init", "Initializing provider plugins...\n"
           "- Using previously-installed hashicorp/aws v5.31.0\n- Using previously-installed hashicorp/random v3.6.0\n"
           "- Using previously-installed hashicorp/null v3.2.0\n", ["v5.31.0"]),
    once("the image that was built", "docker build .", "#1 [internal] load\n#1 transferring dockerfile: 120B done\n"
           "#12 exporting layers 0.1s done\n#12 writing image sha256:abcdef0123 done\n#12 DONE 0.2s\n", ["abcdef0123"]),
])  # fmt: skip
def test_a_fact_survives(command: str, text: str, facts: list[str]) -> None:
    after = squeezed(text, command)
    assert [fact for fact in facts if fact not in after] == []


MAKE = "".join(
    f"make[1]: Entering directory '/r/{d}'\ngcc -O2 -c util.c\nutil.c:{n}:5: error: expected ';' before '}}'\n"
    f"make[1]: *** [Makefile:3: util.o] Error 1\nmake[1]: Leaving directory '/r/{d}'\n"
    for n, d in enumerate(("lib", "app"))
)


def test_the_folder_of_an_error_is_said_where_its_path_is_relative() -> None:
    after = squeezed(MAKE, "make -k")
    assert re.search(r"/r/lib'?\n(.*\n)*util\.c:0:5.*\n(.*\n)*.*/r/app'?\n(.*\n)*util\.c:1:5", after)


@pytest.mark.parametrize("tool", ["read_file", "mcp__filesystem__read_text_file"])
def test_thin_line_numbers_leave_the_first_column_of_data(tool: str) -> None:
    assert "\n7\tuser7" in last(((tool, {"path": "/r/ids.tsv"}), lines("{n}\tuser{n}\tof the shop")), thin=True)


# --- references ---


def cat_n(word: str, count: int = 20) -> str:
    return "".join(f"{n:6d}\t    {word}_statement_{n}(argument)\n" for n in range(1, count + 1))


ONE, OTHER = cat_n("alpha"), cat_n("beta")
WORDS = "the common beginning of these words, which "
TAIL = " ".join(f"beta{n}" for n in range(40))


def _suite(app: str) -> str:
    passed = "".join(f"{app}:test:   ✓ src/mod{n}.test.ts > does its {n} things\n" for n in range(12))
    return f"{passed}{app}:test:   FAIL src/x.test.ts > adds up\n"


def _machines(state: str) -> str:
    return json.dumps([{"id": n, "name": f"machine-{n}", "state": state if n else "new"} for n in range(9)])


@pytest.mark.parametrize(("before", "then", "misleading"), [
    once("`as above` by number, where the text above shows those numbers of two files",
           [("nl -ba a.py; nl -ba b.py", ONE + OTHER)], (("Read", {"file_path": "b.py"}), OTHER),
           r"lines 1-20 unchanged, as above"),
    once("`as in the call above` by number, where it shows those numbers twice",
           [("cat -n a.py; cat -n b.py", ONE + OTHER)], ("cat -n a.py", ONE), r"lines 1-20 as in the `cat -n a\.py; [^(]*$"),
    once("`unchanged, as above` is said of a file of that name in another folder",
           [("cd api && cat -n app.conf", ONE), ("cd web && cat -n app.conf", OTHER)], ("cd api && cat -n app.conf", OTHER),
           r"unchanged, as above"),
    once("`as after these words`, which stand in a place that goes on otherwise",
           [("python a.py", f"x={WORDS}{TAIL.replace('beta', 'alpha')}\ny {WORDS}{TAIL}\n")],
           ("python b.py", f"z {WORDS}{TAIL} and so on\n"), r"which \[lynkr: \d+ characters, as after these words"),
    once("the failing test of one package is sent as a reference to lines that begin with another's name",
           [], ("npx turbo test", _suite("web") + "\n" + _suite("api") + "Tasks: 2 failed\n"), r"as after this one above"),
    once("rows with ^ refer to rows where ^ means something else",
           [("curl -s a/one", _machines("running"))], ("curl -s a/two", _machines("stopped")), r"as after this one above"),
])  # fmt: skip
def test_a_reference_can_be_read_in_one_way_only(before: list[Any], then: Any, misleading: str) -> None:
    assert not re.search(misleading, last(*before, then))


def test_the_number_of_a_message_counts_messages() -> None:
    wanted = "the first line of it\n" + lines("  alpha setting number {n} = on")
    blocks = [{"type": "text", "text": said} for said in ("<system-reminder>hello</system-reminder>", wanted)]
    use = {"type": "tool_use", "id": "c", "name": "Bash", "input": {"command": "cat one.conf"}}
    result = {"type": "tool_result", "tool_use_id": "c", "content": wanted}
    talk: Talk = [
        {"role": "user", "content": blocks},
        {"role": "user", "content": wanted.replace("alpha", "beta")},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert "the user's message (no. 2)" not in sent(talk)[-1]["content"][0]["content"]


# --- the same bytes, in time ---

_GREP = """
from lynkr.transforms.shaper import alone
lines = []
for folder in "abc":
    for n in range(1, 50, 9):
        around = [f"/repo/repo/src/{folder}/index.ts-{n + k}-  around the match" for k in (0, 2)]
        lines += [around[0], f"src/{folder}/index.ts:{n + 1}:  the match", around[1], "--"]
change = alone("\\n".join(lines), tool="Grep")
print(change.after if change else "")
"""


def test_another_process_shortens_the_same_paths_around_matches() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", _GREP], capture_output=True, text=True, timeout=30, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(said) == 1


def _results(count: int) -> Talk:
    parts = [{"type": "text", "text": "error: a.c:1: bad\n" * 60 + str(n)} for n in range(count)]
    return [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": parts}]}]


GROWING: list[Any] = [
    once("dots of tests, of which the last failed: cubic in rulers._RULER, hours for 10,000 of them",
           lambda n: squeezed("." * n + "F\n" + "some words " * 12, "python -m unittest"), 40, 640),
    once("letters and dashes in a log: quadratic in logs._FIGURE",
           lambda n: squeezed(f"2024-01-01 10:00:00 INFO {'a-' * n}\n" * 45, "docker logs x"), 60, 960),
    once("many texts in one message: each is looked for from its beginning", lambda n: sent(_results(n)), 20, 320),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "few", "many"), GROWING)
def test_work_grows_with_the_text(shape: Callable[[int], object], few: int, many: int) -> None:
    taken = list[float]()
    for count in (few, many):
        begun = time.process_time()
        shape(count)
        taken.append(time.process_time() - begun)
    # Sixteen times as much: linear is sixteen times as long, and quadratic 256 times.
    assert taken[1] < 64 * taken[0] + 0.01
