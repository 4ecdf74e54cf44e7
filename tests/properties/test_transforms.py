"""Compression never makes anything longer, changes nothing twice, and says the same again: on the next turn, after a
restart, in a fork, in another process. What is no tool result leaves byte for byte as it came.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from conversations import (
    FORMATS,
    STYLES,
    TALK,
    TAME,
    WILD,
    Request,
    Style,
    Turn,
    as_told,
    conversations,
    request,
    told_passages,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lynkr.document import Document
from lynkr.formats import CODECS
from lynkr.lane import Format
from lynkr.transforms.shaper import Shaper, alone
from lynkr.transforms.tool_results import content_id

few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=250)

TALKS = conversations(TAME) | conversations(WILD)
COMMANDS = st.sampled_from(
    ["", "pytest -q", "npm ci", "go test ./...", "cargo build", "git diff", "git status", "make", "cat a.log", "cat a.py",
     "ls", "grep -rn x .", "find .", "docker build .", "pip install x", "mvn test", "curl x", "eslint .", "lynkr expand 1a"]
)  # fmt: skip
# Lines that programs write, and what may stand in any of them.
LINES = st.sampled_from(
    ["PASS", "ok  \tpkg/a\t0.01s", "=== RUN TestA", "--- PASS: TestA (0.00s)", "tests/a.py::test_b PASSED [ 10%]", "....... [ 20%]",
     "=" * 40 + " FAILURES " + "=" * 40, "-" * 60, "src/a.py:1:0: C0114: Missing docstring", "src/a.py:2:0: C0114: Missing docstring",
     "src/b.py-3-context", "src/a.py(1,2): error TS1: bad thing here", "--", "12:match", "  12\tcode", "@@ -1,2 +1,3 @@", "+added",
     "npm warn deprecated a@1: old", "Collecting a", "   Compiling a v1.0", "#5 extracting sha256:1a", "10%\r20%\r30%", "\x1b[1mbold\x1b[0m",
     '{"id": 1, "name": "a", "tags": [1, 2.50]}', "[", "]", "2024-05-01T10:00:00.123456Z worker: says", "error: it failed",
     "diff --git a/x b/x", "index 1a..2b 100644", "--- a/x", "+++ b/x", "Downloading from central: http", "  (use \"git add\" to)",
     "Chunk ID: 1a2b", "Wall time: 1 s", "Output:", "a.py", "b.py", "", "x", "word " * 30, "größer “und” mehr 😀"]
)  # fmt: skip
OUTPUTS = st.lists(st.tuples(LINES | st.text(max_size=20), st.integers(1, 5)), min_size=1, max_size=40).map(
    lambda parts: "\n".join(line for line, times in parts for _ in range(times))
)


@dataclass
class Session:
    """One session: what it remembers of its former requests."""

    shaper: Shaper = field(default_factory=Shaper)
    document: Document | None = None

    def __call__(self, asked: Request) -> bytes:
        """The body of a request as it is sent."""
        return self.reshaped(asked.body, asked.format)

    def reshaped(self, body: bytes, client: Format) -> bytes:
        self.document = Document.read(body, self.document)
        found = self.shaper.shape(self.document, TALK[client], CODECS[client].passages)
        assert found.faults == 0
        return self.document.splice(list(found.edits))


def shaped(asked: Request) -> bytes:
    """The body of a request as a fresh session sends it."""
    return Session()(asked)


def told(turns: list[Turn]) -> list[str]:
    """The results of a conversation as they are sent, in no format."""
    body = json.dumps({"talk": as_told(turns)}).encode()
    document = Document.read(body)
    found = Shaper().shape(document, "talk", told_passages)
    new = json.loads(document.splice(list(found.edits)))
    return [result["text"] for element in new["talk"] for result in element.get("results", ())]


# --- single results ---


@many
@given(OUTPUTS, COMMANDS)
def test_a_result_gets_shorter_or_stays_as_it_is(text: str, command: str) -> None:
    change = alone(text, command)
    if change is not None:
        assert change.before == text
        assert change.after != text
        assert len(change.after) <= len(text)
        assert len(json.dumps(change.after)) <= len(json.dumps(text))
        assert change.id == content_id(text)


@many
@given(OUTPUTS, COMMANDS)
def test_squeezing_what_was_squeezed_changes_nothing(text: str, command: str) -> None:
    change = alone(text, command)
    if change is not None:
        assert alone(change.after, command) is None


@many
@given(OUTPUTS, st.sampled_from(["cat a.py", "sed -n 1,9p a.py", "head -40 a.py"]))
def test_a_file_that_is_shown_keeps_every_character(text: str, command: str) -> None:
    # The only thing that may go is what stands in it already.
    change = alone(text, command)
    if change is not None:
        assert "[lynkr: " in change.after
        assert all(line in text.split("\n") for line in change.after.split("\n") if not line.startswith("[lynkr: "))


@many
@given(OUTPUTS)
def test_what_lynkr_gave_back_and_what_is_short_stays(text: str) -> None:
    assert alone(text, "lynkr expand 1a2b3c4d5e") is None
    assert alone(text[:119], "pytest") is None
    assert alone(f"{text}\n[lynkr: left out 3 passed tests]", "pytest") is None


# --- whole conversations ---


@few
@given(TALKS)
def test_no_result_of_a_conversation_gets_longer(turns: list[Turn]) -> None:
    sent = told(turns)
    for act, new in zip((act for turn in turns for act in turn.acts), sent, strict=True):
        assert len(new) <= len(act.result)


@few
@given(TALKS, st.sampled_from(FORMATS), STYLES)
def test_a_body_gets_shorter_and_only_results_change(turns: list[Turn], client: Format, style: Style) -> None:
    asked = request(turns, client, style)
    sent = shaped(asked)
    assert len(sent) <= len(asked.body)
    assert len(asked.sent(sent)) == len(asked.results)


@few
@given(TALKS, st.sampled_from(FORMATS), STYLES)
def test_every_format_says_the_same(turns: list[Turn], client: Format, style: Style) -> None:
    # Formats differ in what they hold beside results, so only those are compared where words refer to nothing else.
    quiet = [Turn("", "", "", turn.acts) for turn in turns]
    asked = request(quiet, client, style)
    assert asked.sent(shaped(asked)) == told(quiet)


@few
@given(TALKS, st.sampled_from(FORMATS))
def test_shaping_what_was_shaped_leaves_what_was_changed(turns: list[Turn], client: Format) -> None:
    # What came through whole may be shortened then: of two places that it could have meant there is one left.
    asked = request(turns, client)
    once = shaped(asked)
    twice = Session().reshaped(once, client)
    for result, first, second in zip(asked.results, asked.sent(once), asked.sent(twice), strict=True):
        assert second == first or first == result


@few
@given(TALKS, st.sampled_from(FORMATS), STYLES)
def test_where_nothing_can_be_compressed_the_same_bytes_leave(turns: list[Turn], client: Format, style: Style) -> None:
    short = [replace(turn, acts=tuple(replace(act, result=act.result[:119]) for act in turn.acts)) for turn in turns]
    asked = request(short, client, style)
    body = asked.body
    document = Document.read(body)
    found = Shaper().shape(document, TALK[client], CODECS[client].passages)
    assert document.splice(list(found.edits)) is body


# --- on the next turn, after a restart, in a fork ---


@few
@given(TALKS, st.sampled_from(FORMATS), STYLES)
def test_what_was_sent_is_sent_again_before_what_is_new(turns: list[Turn], client: Format, style: Style) -> None:
    session, before = Session(), ""
    for count in range(1, len(turns) + 1):
        asked = request(turns[:count], client, style)
        sent = session(asked)
        assert sent == shaped(asked), "a restart sends other bytes"
        said = asked.said(sent)
        assert said.startswith(before), "what was sent for the last turn is not where this one begins"
        before = said


@few
@given(TALKS, STYLES)
def test_a_breakpoint_that_moves_on_changes_no_other_byte(turns: list[Turn], style: Style) -> None:
    session, before = Session(), list[Any]()
    for count in range(1, len(turns) + 1):
        asked = request(turns[:count], Format.ANTHROPIC, style, breakpoint=True)
        sent = session(asked)
        assert sent == shaped(asked)
        elements = json.loads(sent)["messages"]
        for element in elements:
            element["content"][-1].pop("cache_control", None)
        assert elements[: len(before)] == before
        before = elements


@few
@given(TALKS, conversations(WILD, most=3), st.sampled_from(FORMATS), st.data())
def test_a_fork_sends_what_a_fresh_session_would(
    turns: list[Turn], other: list[Turn], client: Format, data: st.DataObject
) -> None:
    # Ids are the provider's: those of another branch are others.
    branch = [replace(t, acts=tuple(replace(act, id=f"b{act.id}") for act in t.acts)) for t in other]
    session = Session()
    session(request(turns, client))
    for count in data.draw(st.permutations(range(len(turns) + 1))):
        for talk in ([*turns[:count], *branch], turns, turns[:count] or branch, branch):
            asked = request(talk, client)
            assert session(asked) == shaped(asked)


@few
@given(st.lists(TALKS, min_size=2, max_size=5), st.sampled_from(FORMATS))
def test_conversations_side_by_side_do_not_mix(talks: list[list[Turn]], client: Format) -> None:
    session = Session()
    for count in range(1, max(map(len, talks)) + 1):
        for turns in talks:
            asked = request(turns[:count], client)
            assert session(asked) == shaped(asked)


@few
@given(TALKS, st.sampled_from(FORMATS))
def test_an_old_result_that_a_tool_takes_out_is_no_longer_referred_to(turns: list[Turn], client: Format) -> None:
    session = Session()
    for at, turn in enumerate(turns):
        session(request(turns, client))
        gone = replace(turn, acts=tuple(replace(act, result="[cleared]") for act in turn.acts))
        asked = request([*turns[:at], gone, *turns[at + 1 :]], client)
        assert session(asked) == shaped(asked)


_ANOTHER = """
import sys
from hashlib import sha256
from lynkr.document import Document
from lynkr.formats import CODECS
from lynkr.lane import Format
from lynkr.transforms.shaper import Shaper
for line in sys.stdin:
    name, talk, body = line.rstrip("\\n").split("\\t", 2)
    document = Document.read(bytes.fromhex(body))
    edits = Shaper().shape(document, talk, CODECS[Format(name)].passages).edits
    print(sha256(document.splice(list(edits))).hexdigest())
"""


def test_another_process_sends_the_same_bytes() -> None:
    batch = list[Request]()

    @settings(few, max_examples=30, derandomize=True, database=None)
    @given(TALKS, st.sampled_from(FORMATS))
    def gather(turns: list[Turn], client: Format) -> None:
        batch.append(request(turns, client))

    gather()
    lines = "".join(f"{asked.format.value}\t{TALK[asked.format]}\t{asked.body.hex()}\n" for asked in batch)
    expected = [sha256(shaped(asked)).hexdigest() for asked in batch]
    for seed in ("1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", _ANOTHER], input=lines, capture_output=True, text=True, timeout=60, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert done.stdout.split() == expected
    assert any(shaped(asked) != asked.body for asked in batch), "nothing was compressed at all"
