"""Conversations of coding tools, made up: a few files are read, searched, edited and read again, programs run.

A conversation is a list of turns in no tool's format; `as_told` says one in lynkr's passages, `request` as a body of a
client's format, with everything that such a body holds besides. A body is made from pieces, so that a test knows which
bytes belong to a result without asking the code that is tested.

What is drawn stays in the bounds of `Kind`. `TAME` ones hold nothing that a reader could find in two places.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import strategies as st

from lynkr.lane import Format
from lynkr.passage import Called, Given, Passage, Said

FORMATS = (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI)
TALK = {
    Format.ANTHROPIC: "messages",
    Format.OPENAI_CHAT: "messages",
    Format.OPENAI_RESPONSES: "input",
    Format.GEMINI: "contents",
}


@dataclass(frozen=True)
class Act:
    """A call and what it gave. `kind`: file, matches, names, output or edit; `path`: the file that it is about."""

    id: str
    name: str
    arguments: dict[str, Any]
    result: str
    kind: str
    path: str = ""


@dataclass(frozen=True)
class Turn:
    """What the user says (mostly nothing), what the model thinks and says, and what it does at once."""

    asked: str
    thought: str
    said: str
    acts: tuple[Act, ...]


@dataclass(frozen=True)
class Kind:
    """What may occur: lines that stand in several places of a file, files that become again what they were."""

    repeats: bool = False
    reverts: bool = False
    around: bool = False  # grep -C
    folders: bool = False  # searches of a tool that is given a folder


TAME, WILD = Kind(), Kind(repeats=True, reverts=True, around=True, folders=True)
_WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "größe", "price", "ready")
_SHORT = ("", "}", "    )", "else:")
_OFTEN = ("    return None", "        self.assertEqual(result, expected)", "    raise NotImplementedError")
_PATHS = ("src/app/main.py", "src/app/util.py", "lib/parse.go", "docs/guide.md")


@dataclass
class _File:
    path: str
    lines: list[str]
    former: list[list[str]] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)


class _World:
    """The files and what tools say of them."""

    def __init__(self, draw: st.DrawFn, kind: Kind) -> None:
        self.draw, self.kind, self._numbers = draw, kind, count(1)
        self._tells = 0
        self.files = [_File(path, self.lines(3, 30)) for path in _PATHS[: self.pick(1, 3)]]
        for file in self.files:
            file.committed = list(file.lines)

    def pick(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def line(self) -> str:
        """A line of a file, which is like no other unless repetition is wanted."""
        n = self.pick(0, 9)
        if n == 0:
            return self.one(*_SHORT)
        if n < 4 and self.kind.repeats:
            return self.one(*_OFTEN)
        indent, word = " " * self.one(0, 4, 8), self.one(*_WORDS)
        return f"{indent}{word}_{next(self._numbers)} = compute({word!r}, {self.pick(0, 9)})"

    def lines(self, low: int, high: int) -> list[str]:
        return [self.line() for _ in range(self.pick(low, high))]

    # --- files ---

    def look(self) -> tuple[str, dict[str, Any], str, str, str]:
        file = self.one(*self.files)
        first = self.one(1, 1, self.pick(1, max(1, len(file.lines))))
        last = self.one(len(file.lines), min(len(file.lines), first + self.pick(2, 20)))
        part = file.lines[first - 1 : last]
        match self.pick(0, 5):
            case 0 | 1 | 2:
                said = {"file_path": f"/repo/{file.path}", "offset": first, "limit": last - first + 1}
                mark = "→" if file.path.endswith(".go") else "\t"
                return "Read", said, numbered(part, first, mark), "file", said["file_path"]
            case 3:
                return *bash(f"sed -n '{first},{last}p' {file.path}"), "\n".join(part), "file", file.path
            case 4:
                return *bash(f"cat -n {file.path}"), numbered(file.lines, 1, "\t"), "file", file.path
            case _:
                return *bash(f"cat {file.path}"), "\n".join(file.lines) + "\n", "file", file.path

    def edit(self) -> tuple[str, dict[str, Any], str, str, str]:
        file = self.one(*self.files)
        file.former.append(list(file.lines))
        path = f"/repo/{file.path}"
        if self.kind.reverts and self.pick(0, 2) == 0:
            file.lines = list(self.one(*file.former))
            return *bash("git checkout -q ."), "", "output", ""
        at = self.pick(0, len(file.lines))
        old = file.lines[at : at + self.pick(0, 3)]
        new = self.lines(1 if self.kind.reverts else max(1, len(old)), 6)
        file.lines[at : at + len(old)] = new
        if not old or self.pick(0, 3) == 0:
            said = {"file_path": path, "content": "\n".join(file.lines)}
            return "Write", said, f"File created successfully at: {path}", "edit", path
        first = max(0, at - 4)
        shown = numbered(file.lines[first : at + len(new) + 4], first + 1, "\t")
        head = (
            f"The file {path} has been updated. Here's the result of running `cat -n` on a snippet of the edited file:"
        )
        said = {"file_path": path, "old_string": "\n".join(old), "new_string": "\n".join(new)}
        return "Edit", said, f"{head}\n{shown}", "edit", path

    # --- searches ---

    def search(self) -> tuple[str, dict[str, Any], str, str, str]:
        word, how = self.one(*_WORDS), self.pick(0, 3)
        file = self.one(*self.files)
        if how == 0:
            around = self.kind.around and self.one(False, True)
            shown = matches(file.lines, word, 2 if around else 0)
            return (
                *bash(f"grep -n {'-C2 ' if around else ''}{word} {file.path}"),
                "\n".join(shown),
                "matches",
                file.path,
            )
        found = [f"{f.path}:{line}" for f in self.files for line in matches(f.lines, word, 0)]
        if how == 1 and self.kind.folders:
            return "Grep", {"pattern": word, "path": "src"}, "\n".join(found), "matches", "src"
        return *bash(f"{self.one('grep -rn', 'rg -n')} {word} ."), "\n".join(found), "matches", ""

    def listing(self) -> tuple[str, dict[str, Any], str, str, str]:
        names = [f"{self.one(*_WORDS[:4])}_{n}.{self.one('py', 'md')}" for n in range(self.pick(1, 30))]
        match self.pick(0, 2):
            case 0:
                return *bash("ls src"), "\n".join(names), "names", ""
            case 1:
                return *bash("find . -name '*'"), "\n".join(f"./src/{name}" for name in names), "names", ""
            case _:
                return "Glob", {"pattern": "**/*"}, "\n".join(f"/repo/src/{name}" for name in names), "names", ""

    # --- programs ---

    def program(self) -> tuple[str, dict[str, Any], str, str, str]:
        command, text = self.one(
            self.tests, self.diff, self.linter, self.records, self.log, self.status, self.install
        )()
        return *bash(command), text, "output", ""

    def tests(self) -> tuple[str, str]:
        names = [f"tests/test_{self.one(*_WORDS[:3])}.py::test_{n}" for n in range(self.pick(2, 25))]
        failed = set(names[:: self.pick(5, 30)])
        body = [f"{name} {'FAILED' if name in failed else 'PASSED'} [{n:3}%]" for n, name in enumerate(names)]
        parts = ["=" * 20 + " test session starts " + "=" * 20, "platform linux -- Python 3.11.2, pytest-8.3", *body]
        for name in sorted(failed):
            parts += [
                f"{'_' * 20} {name} {'_' * 20}",
                "E       assert 1 == 2",
                f"{name.split(':')[0]}:7: AssertionError",
            ]
        return "pytest -v", "\n".join([*parts, f"{'=' * 10} {len(failed)} failed in 0.12s {'=' * 10}"])

    def diff(self) -> tuple[str, str]:
        out = list[str]()
        for file in self.files:
            same = 0
            while file.lines[same : same + 1] == file.committed[same : same + 1] and same < len(file.lines):
                same += 1
            old, new, first = file.committed[same:], file.lines[same:], max(0, same - 3)
            if old == new:
                continue
            out += [f"diff --git a/{file.path} b/{file.path}", "index 1a2b3c4..5d6e7f8 100644", f"--- a/{file.path}"]
            out += [f"+++ b/{file.path}", f"@@ -{first + 1},{len(old) + 3} +{first + 1},{len(new) + 3} @@"]
            out += [f" {line}" for line in file.lines[first:same]] + [f"-{x}" for x in old] + [f"+{x}" for x in new]
        return "git diff", "\n".join(out)

    def linter(self) -> tuple[str, str]:
        said = ("Missing function or method docstring", "Line too long (133/120)", "Unused argument 'request'")
        lines = [
            f"{self.one(*_PATHS)}:{n}:0: C01{self.pick(10, 12)}: {self.one(*said)}" for n in range(self.pick(2, 30))
        ]
        return "pylint src", "\n".join(lines)

    def records(self) -> tuple[str, str]:
        rows = [{"id": n * 1000, "name": self.one(*_WORDS), "ready": self.one(True, False), "tags": ["a", "b,c"]}
                for n in range(self.pick(1, 12))]  # fmt: skip
        return "curl -s localhost/api", json.dumps(rows, indent=self.one(None, 2))

    def log(self) -> tuple[str, str]:
        lines = [
            f"2024-05-01T10:00:{n % 60:02}.123456Z worker: {self.one(*_WORDS)} done" for n in range(self.pick(5, 30))
        ]
        return "tail -f app.log | ./fmt", "\n".join(lines)

    def status(self) -> tuple[str, str]:
        head = 'On branch main\nChanges not staged for commit:\n  (use "git add <file>..." to update what will be committed)\n'
        return "git status", head + "\n".join(f"\tmodified:   {file.path}" for file in self.files)

    def install(self) -> tuple[str, str]:
        self._tells += 1
        lines = [f"Collecting {word}=={n}.0" for n, word in enumerate(_WORDS[:5])]
        return "pip install -r req.txt", "\n".join(
            [*lines, "Successfully installed", "\x1b[32mdone\x1b[0m", *["."] * 3]
        )


def bash(command: str) -> tuple[str, dict[str, Any]]:
    return "Bash", {"command": command}


def numbered(lines: list[str], first: int, mark: str) -> str:
    """Lines as `cat -n` shows them."""
    return "\n".join(f"{n:>6}{mark}{line}" for n, line in enumerate(lines, first))


def matches(lines: list[str], word: str, around: int) -> list[str]:
    """What `grep -n` shows, with lines around each match."""
    hits = {n for n, line in enumerate(lines, 1) if word in line}
    shown = sorted({m for n in hits for m in range(max(1, n - around), min(len(lines), n + around) + 1)})
    out = list[str]()
    for n, before in zip(shown, [None, *shown], strict=False):
        if around and before is not None and before != n - 1:
            out.append("--")
        out.append(f"{n}{':' if n in hits else '-'}{lines[n - 1]}")
    return out


@st.composite
def conversations(draw: st.DrawFn, kind: Kind = TAME, most: int = 8) -> list[Turn]:
    """A conversation of one to `most` turns."""
    world, numbers, turns = _World(draw, kind), count(1), list[Turn]()
    deeds = (
        world.look,
        world.look,
        world.look,
        world.edit,
        world.edit,
        world.search,
        world.listing,
        world.program,
        world.program,
    )
    for n in range(world.pick(1, most)):
        acts = list[Act]()
        for _ in range(world.one(1, 1, 1, 2, 3)):
            deed = world.one(*deeds)
            if acts and deed == world.edit:
                continue
            name, arguments, result, what, path = deed()
            acts.append(Act(f"call_{next(numbers)}", name, arguments, result, what, path.removeprefix("/repo/")))
            if deed == world.edit:
                break
        file = world.one(*world.files)
        asked = (
            world.one("", "", "please go on", "\n".join(["look at this:", *file.lines[:5]])) if n else "mend the bug"
        )
        turns.append(
            Turn(
                asked,
                world.one("", "hm, größer"),
                world.one("", "I will look.", "So:\n" + "\n".join(file.lines[2:6])),
                tuple(acts),
            )
        )
    return turns


# --- as passages ---


def as_told(turns: list[Turn]) -> list[dict[str, Any]]:
    """A list in a format of the tests' own, which `told_passages` reads."""
    elements = list[dict[str, Any]]()
    for turn in turns:
        elements += [{"by": "user", "text": turn.asked}] if turn.asked else []
        elements += [{"by": "model", "text": turn.said}] if turn.said else []
        elements.append({"calls": [{"id": act.id, "name": act.name, "arguments": act.arguments} for act in turn.acts]})
        elements.append({"results": [{"id": act.id, "text": act.result} for act in turn.acts]})
    return elements


def told_passages(element: dict[str, Any]) -> Iterator[Passage]:
    """What stands in an element of `as_told`."""
    if "text" in element:
        yield Said(element["text"], element["by"])
    for call in element.get("calls", ()):
        yield Called(call["id"], call["name"], call["arguments"])
    for n, result in enumerate(element.get("results", ())):
        yield Given(result["id"], result["text"], ("results", n, "text"))


# --- as requests ---


@dataclass(frozen=True)
class Style:
    """How a client writes JSON."""

    ascii: bool = True
    spaced: bool = True

    def __call__(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=self.ascii, separators=(", ", ": ") if self.spaced else (",", ":"))


STYLES = st.builds(Style, st.booleans(), st.booleans())


@dataclass(frozen=True)
class Request:
    """A body in pieces: between two of them, a result stands as a JSON text. `until` ends the list of what was said."""

    format: Format
    pieces: tuple[str, ...]
    results: tuple[str, ...]
    until: int
    style: Style

    @property
    def body(self) -> bytes:
        texts = [self.style(text) for text in self.results]
        return "".join(a + b for a, b in zip(self.pieces, [*texts, ""], strict=True)).encode()

    def sent(self, body: bytes) -> list[str]:
        """The results in what became of the body; fails where anything else of it has changed."""
        text, at, found = body.decode(), 0, list[str]()
        scan = json.JSONDecoder().raw_decode
        for n, piece in enumerate(self.pieces):
            assert text.startswith(piece, at), f"changed: {piece!r} is {text[at : at + len(piece)]!r}"
            at += len(piece)
            if n < len(self.results):
                result, at = scan(text, at)
                found.append(result)
        assert at == len(text), f"added: {text[at:]!r}"
        return found

    def said(self, body: bytes) -> str:
        """What became of the body, up to the end of the last element."""
        text = body.decode()
        return text[: len(text) - self.until]


_HOLE = "\0result\0"


def request(turns: list[Turn], format: Format, style: Style = Style(), *, breakpoint: bool = False) -> Request:  # noqa: A002
    """The request of a client whose conversation has gone so far."""
    elements = _ELEMENTS[format](turns)
    if breakpoint and format is Format.ANTHROPIC:
        elements[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    before, after = _AROUND[format]
    head = f"{style(before)[:-1]}, {style(TALK[format])}: ["
    tail = f"], {style(after)[1:]}\n"
    whole = head + ", ".join(style(element) for element in elements) + tail
    hole = json.dumps(_HOLE)
    results = tuple(act.result for turn in turns for act in turn.acts)
    return Request(format, tuple(whole.split(hole)), results, len(tail), style)


def _anthropic(turns: list[Turn]) -> list[dict[str, Any]]:
    elements = list[dict[str, Any]]()
    for turn in turns:
        if turn.asked:
            elements.append({"role": "user", "content": [{"type": "text", "text": turn.asked, "x": 1.0}]})
        blocks: list[dict[str, Any]] = [{"type": "thinking", "thinking": turn.thought, "signature": "c2ln"}]
        blocks += [{"type": "text", "text": turn.said}] if turn.said else []
        blocks += [{"type": "tool_use", "id": a.id, "name": a.name, "input": a.arguments} for a in turn.acts]
        elements.append({"role": "assistant", "content": blocks})
        given = list[dict[str, Any]]()
        for n, act in enumerate(turn.acts):
            content: Any = _HOLE if n % 2 else [{"type": "text", "text": _HOLE}, {"type": "unknown", "text": turn.said}]
            given.append({"type": "tool_result", "tool_use_id": act.id, "content": content, "is_error": False})
        elements.append({"role": "user", "content": given})
    return elements


def _chat(turns: list[Turn]) -> list[dict[str, Any]]:
    elements: list[dict[str, Any]] = [{"role": "system", "content": "Be good.\nBe brief."}]
    for turn in turns:
        elements += [{"role": "user", "content": turn.asked}] if turn.asked else []
        calls = [{"id": a.id, "type": "function", "function": {"name": a.name, "arguments": json.dumps(a.arguments)}}
                 for a in turn.acts]  # fmt: skip
        elements.append(
            {"role": "assistant", "content": turn.said, "reasoning_content": turn.thought, "tool_calls": calls}
        )
        elements += [{"role": "tool", "tool_call_id": act.id, "content": _HOLE} for act in turn.acts]
    return elements


def _responses(turns: list[Turn]) -> list[dict[str, Any]]:
    elements = list[dict[str, Any]]()
    for turn in turns:
        elements += [{"role": "user", "content": [{"type": "input_text", "text": turn.asked}]}] if turn.asked else []
        elements.append({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": turn.thought})
        said = [{"type": "output_text", "text": turn.said, "annotations": []}]
        elements += [{"type": "message", "role": "assistant", "content": said}] if turn.said else []
        elements += [{"type": "function_call", "call_id": a.id, "name": a.name, "arguments": json.dumps(a.arguments)}
                     for a in turn.acts]  # fmt: skip
        elements += [{"type": "function_call_output", "call_id": act.id, "output": _HOLE} for act in turn.acts]
    return elements


def _gemini(turns: list[Turn]) -> list[dict[str, Any]]:
    elements = list[dict[str, Any]]()
    for turn in turns:
        elements += [{"role": "user", "parts": [{"text": turn.asked}]}] if turn.asked else []
        parts: list[dict[str, Any]] = [{"text": turn.thought, "thought": True}] if turn.thought else []
        parts += [{"text": turn.said}] if turn.said else []
        parts += [
            {"functionCall": {"id": a.id, "name": a.name, "args": a.arguments}, "thoughtSignature": "c2ln"}
            for a in turn.acts
        ]
        elements.append({"role": "model", "parts": parts})
        given = [{"functionResponse": {"id": a.id, "name": a.name, "response": {"output": _HOLE}}} for a in turn.acts]
        elements.append({"role": "user", "parts": given})
    return elements


_ELEMENTS = {
    Format.ANTHROPIC: _anthropic,
    Format.OPENAI_CHAT: _chat,
    Format.OPENAI_RESPONSES: _responses,
    Format.GEMINI: _gemini,
}
# What stands before the list and behind it: prompts, tools, and members that nobody knows.
_TOOL = {"name": "Read", "description": "Reads a file.\nAll of it."}
_AROUND: dict[Format, tuple[dict[str, Any], dict[str, Any]]] = {
    Format.ANTHROPIC: (
        {
            "model": "m",
            "system": [{"type": "text", "text": "Be good.\n" * 30}],
            "tools": [{**_TOOL, "input_schema": {}}],
        },
        {
            "max_tokens": 10,
            "metadata": {"user_id": "größer"},
            "thinking": {"type": "enabled"},
            "unknown": [1e5, {"a": None}],
        },
    ),
    Format.OPENAI_CHAT: (
        {"model": "m", "tools": [{"type": "function", "function": _TOOL}], "x": 1.50},
        {"stream": True, "unknown": {"messages": [{"role": "tool", "content": "same\n" * 60}]}},
    ),
    Format.OPENAI_RESPONSES: (
        {"model": "m", "instructions": "Be good.\n" * 30, "tools": [{"type": "function", **_TOOL}]},
        {"stream": True, "store": False, "include": ["reasoning.encrypted_content"], "unknown": -0.0},
    ),
    Format.GEMINI: (
        {"systemInstruction": {"parts": [{"text": "Be good.\n" * 30}]}, "tools": [{"functionDeclarations": [_TOOL]}]},
        {"generationConfig": {"temperature": 1.0}, "unknown": {"contents": []}},
    ),
}
