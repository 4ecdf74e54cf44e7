"""Claude Code's transcripts are trees of lines: what each request sent, and that each answer counts once, with the usage
that its last line tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transcripts import Claude, at, audited, call, figures, result, spent, text, values, written

from lynkr.audit import claude_code
from lynkr.audit.past import Read, Thread
from lynkr.audit.reading import READERS, File, read
from lynkr.usage import Usage


def told(path: Path, seen: set[str] | None = None) -> Read:
    reader = next(reader for reader in READERS if reader.TOOL == claude_code.TOOL)
    return read(File(path, reader), set() if seen is None else seen)


def sent(thread: Thread, turn: int) -> list[str]:
    """What the request of a turn sent, each block in a word: its text, or its kind and id."""
    words = []
    for item in thread.items[: thread.turns[turn].length]:
        content = item["content"]
        for block in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            words.append(block.get("text") or f"{block['type']} {block.get('id') or block.get('tool_use_id')}")
    return words


def test_an_answer_on_several_lines_counts_once_with_the_usage_of_its_last(tmp_path: Path) -> None:
    session = Claude()
    session.user("hello")
    session.line([text("one")], figures(5, 0, 900, 1), "a")
    session.line([text("two")], figures(5, 0, 900, 1), "a")
    session.line([call("t1")], figures(5, 0, 900, 321), "a")
    found = told(session.write(tmp_path / "a.jsonl"))
    assert [turn.usage for turn in found.threads[0].turns] == [Usage(5, 900, 0, 0, 321)]
    assert found.threads[0].items[1]["content"] == [text("one"), text("two"), call("t1")]


def test_results_between_the_lines_of_an_answer_belong_to_the_next_request(tmp_path: Path) -> None:
    session = Claude()
    session.user("look twice")
    first = session.line([call("t1")], figures(out=1), "a")
    early = session.user(result("t1", "early"), parent=first)
    second = session.line([call("t2")], figures(out=77), "a", parent=first)
    session.user(result("t2", "late"), parent=second)
    session.line([text("done")], figures(), "b")
    thread = told(session.write(tmp_path / "a.jsonl")).threads[0]
    assert [turn.usage.output for turn in thread.turns] == [77, 50]
    assert sent(thread, 0) == ["look twice"]
    assert sorted(sent(thread, 1)) == sorted(
        ["look twice", "tool_use t1", "tool_use t2", "tool_result t1", "tool_result t2"]
    )
    assert early


def test_results_of_calls_made_at_once_stand_beside_each_other_and_are_all_sent(tmp_path: Path) -> None:
    session = Claude()
    session.user("three at once")
    lines = [session.line([call(f"t{n}")], figures(), "a") for n in range(3)]
    for n, line in enumerate(lines):
        session.user(result(f"t{n}", f"given {n}"), parent=line)
    session.line([text("done")], figures(), "b")
    found = told(session.write(tmp_path / "a.jsonl"))
    assert len(found.threads) == 1
    results = [word for word in sent(found.threads[0], 1) if word.startswith("tool_result")]
    assert sorted(results) == ["tool_result t0", "tool_result t1", "tool_result t2"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_forked_session_counts_what_it_repeats_once_whatever_file_comes_first(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    session = Claude().turns(3)
    old = session.write(tmp_path / f"{names[0]}.jsonl")
    fork = Claude("5e551011-0000-4000-8000-00000000f0f0", entries=list(session.entries), last=session.last, minute=60)
    fork.answer([text("another way")], figures(10, 500, 40_000, 60), "fork")
    both = fork.write(tmp_path / f"{names[1]}.jsonl")
    account = audited(tmp_path)
    assert (len(account.was), account.copied) == (4, 3)
    assert values(account)["totals"]["cost_usd"] == pytest.approx(spent(old, both), abs=1e-9)
    longest = max(told(both).threads, key=lambda thread: len(thread.items))
    assert longest.turns[-1].length == 7


@pytest.mark.xfail(
    strict=True, reason="what an answer's first lines say counts, where the file that has no more comes first"
)
def test_an_answer_that_is_whole_in_a_later_file_counts_as_it_is_there(tmp_path: Path) -> None:
    session = Claude()
    session.user("hello")
    session.line([text("one")], figures(5, 0, 900, 1), "a")
    session.write(tmp_path / "a.jsonl")
    session.line([text("two")], figures(5, 0, 900, 321), "a")
    session.write(tmp_path / "b.jsonl")
    assert [row.usage.output for _, row in audited(tmp_path).was] == [321]


def test_results_that_a_fork_repeats_count_once(tmp_path: Path) -> None:
    session = Claude().turns(3)
    session.write(tmp_path / "a.jsonl")
    once = values(audited(tmp_path))["results"]
    session.write(tmp_path / "b.jsonl")
    assert values(audited(tmp_path))["results"] == once


def test_a_sidechain_is_a_conversation_of_its_own(tmp_path: Path) -> None:
    session = Claude()
    session.user("send somebody")
    main = session.answer([call("t1", "Task")], figures(), "a")
    session.user("you are somebody", parent=None, isSidechain=True)
    session.answer([text("found it")], figures(7, 0, 0, 9), "side", isSidechain=True)
    session.user(result("t1", "found it"), parent=main)
    session.answer([text("done")], figures(), "b")
    threads = told(session.write(tmp_path / "a.jsonl")).threads
    assert {(thread.who, len(thread.turns)) for thread in threads} == {("main", 2), ("subagent", 1)}
    own, side = sorted(threads, key=lambda thread: thread.who)
    assert sent(own, 1) == ["send somebody", "tool_use t1", "tool_result t1"]
    assert sent(side, 0) == ["you are somebody"]


def test_a_subagent_in_a_file_of_its_own_is_of_the_same_session(tmp_path: Path) -> None:
    Claude().turns(2).write(tmp_path / "s.jsonl")
    agent = Claude()
    agent.user("look there", parent=None, isSidechain=True, agentId="a1")
    agent.answer([text("there")], figures(), "x", isSidechain=True, agentId="a1")
    agent.write(tmp_path / "s" / "subagents" / "agent-a1.jsonl")
    account = audited(tmp_path)
    assert [row.who for _, row in account.was].count("subagent") == 1
    assert values(account)["sessions"] == 1
    assert len(account.was) == 3


def test_what_stood_before_a_compaction_is_not_sent_any_more(tmp_path: Path) -> None:
    session = Claude().turns(2, first="the long beginning")
    above = session.last
    session.entry("system", parent=None, subtype="compact_boundary", logicalParentUuid=above, content="compacted")
    session.user("in short: it was long", isCompactSummary=True)
    session.user("go on")
    session.answer([text("on it")], figures(), "after")
    threads = told(session.write(tmp_path / "a.jsonl")).threads
    assert [len(thread.turns) for thread in threads] == [2, 1]
    assert sent(threads[1], 0) == ["in short: it was long", "go on"]
    assert threads[0].session == threads[1].session


def test_a_rewound_branch_sends_what_leads_to_it_and_nothing_else(tmp_path: Path) -> None:
    session = Claude()
    session.user("begin")
    kept = session.answer([text("begun")], figures(), "a")
    session.user("the wrong way")
    session.answer([text("wrong")], figures(), "b")
    session.user("the right way", parent=kept)
    session.answer([text("right")], figures(), "c")
    threads = told(session.write(tmp_path / "a.jsonl")).threads
    told_of = [sent(thread, n) for thread in threads for n in range(len(thread.turns))]
    assert told_of == [["begin"], ["begin", "begun", "the wrong way"], ["begin", "begun", "the right way"]]


def test_what_the_tool_itself_said_in_the_models_place_costs_nothing(tmp_path: Path) -> None:
    session = Claude()
    session.user("hello")
    session.line([text("API Error: 529 Overloaded")], figures(0, 0, 0, 0), "e", model="<synthetic>",
                 isApiErrorMessage=True)  # fmt: skip
    session.user("again")
    session.answer([text("hi")], figures(), "a")
    path = session.write(tmp_path / "a.jsonl")
    account = audited(path)
    assert [row.model for _, row in account.was] == ["claude-opus-5-5"]
    assert values(account)["totals"]["unpriced_requests"] == 0


def test_an_answer_without_usage_or_time_is_no_request_and_its_words_are_still_sent(tmp_path: Path) -> None:
    session = Claude()
    session.user("hello")
    session.answer([text("no figures")], None, "a")
    session.answer([text("no time")], figures(), "b", timestamp=None)
    session.answer([text("odd time")], figures(), "c", timestamp="yesterday")
    session.answer([text("whole")], figures(1, 2, 3, 4), "d")
    thread = told(session.write(tmp_path / "a.jsonl")).threads[0]
    assert [turn.usage for turn in thread.turns] == [Usage(1, 3, 2, 0, 4)]
    assert sent(thread, 0) == ["hello", "no figures", "no time", "odd time"]


def test_an_unknown_model_has_no_price_and_is_counted(tmp_path: Path) -> None:
    session = Claude()
    session.user("hello")
    session.answer([text("hi")], figures(), "a")
    session.answer([text("hi")], figures(), "b", model="claude-of-the-future-9")
    path = session.write(tmp_path / "a.jsonl")
    totals = values(audited(path))["totals"]
    assert (totals["requests"], totals["unpriced_requests"]) == (2, 1)
    assert totals["cost_usd"] == pytest.approx(spent(path), abs=1e-9)


def test_rounds_that_the_totals_leave_out_are_added_up(tmp_path: Path) -> None:
    session = Claude()
    session.user("compact on your side")
    rounds = [
        {**figures(100, 0, 20_000, 600), "type": "compaction"},
        {**figures(10, 300, 2_000, 40), "type": "message"},
    ]
    session.answer([text("done")], {**figures(10, 300, 2_000, 40), "iterations": rounds}, "a")
    session.answer([text("done")], {**figures(1, 2, 3, 4), "iterations": []}, "b")
    turns = told(session.write(tmp_path / "a.jsonl")).threads[0].turns
    assert [turn.usage for turn in turns] == [Usage(110, 22_000, 300, 0, 640), Usage(1, 3, 2, 0, 4)]


SHAPES: dict[str, dict[str, Any]] = {
    "only new": figures(12_345, 0, 0, 678),
    "written for five minutes": figures(9, 30_001, 0, 55),
    "written for an hour": figures(9, 0, 0, 55, hour=30_001),
    "both": figures(9, 1_003, 250_007, 1_234, hour=2_005),
    "read": figures(3, 0, 180_000, 4_321),
}


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5", "claude-haiku-4-5-20251001"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_cost_is_the_recorded_usage_at_list_prices(tmp_path: Path, shape: str, model: str) -> None:
    session = Claude(model=model)
    session.user("hello")
    for n in range(3):
        session.answer([text("a"), text("b")], SHAPES[shape], f"{n}")
    path = session.write(tmp_path / "a.jsonl")
    cost = values(audited(path))["totals"]["cost_usd"]
    assert cost > 0
    assert cost == pytest.approx(spent(path), abs=1e-9, rel=0)


@pytest.mark.parametrize("identity", ["requestId", "id"])
def test_answers_are_told_apart_without_one_of_their_ids(tmp_path: Path, identity: str) -> None:
    session = Claude()
    session.user("hello")
    for n in range(3):
        session.line([text("hi")], figures(), f"{n}")
        (session.entries[-1] if identity == "requestId" else session.entries[-1]["message"]).pop(identity)
    assert len(audited(session.write(tmp_path / "a.jsonl")).was) == 3


def test_lines_that_go_round_in_a_circle_or_hang_in_the_air_are_read_to_their_end(tmp_path: Path) -> None:
    session = Claude()
    one = session.user("one")
    two = session.user("two")
    session.entries[0]["parentUuid"] = two
    session.answer([text("hi")], figures(), "a", parent=one)
    session.answer([text("ho")], figures(), "b", parent="nobody")
    session.entries.append({"type": "assistant", "message": {"id": "m", "usage": figures()}, "timestamp": at(1)})
    assert len(audited(session.write(tmp_path / "a.jsonl")).was) == 2


@pytest.mark.parametrize(
    "content",
    [
        [1, "x", None],
        {"a": 1},
        5,
        [{"type": "tool_result", "tool_use_id": [1], "content": [{"type": "text", "text": 5}]}],
        [{"type": "image", "source": None}],
        [{"type": ["list"]}],
        [{"type": "text", "text": "\ud800"}],
    ],
)
def test_odd_content_costs_no_figure(tmp_path: Path, content: object) -> None:
    session = Claude().turns(3)
    plain = spent(session.write(tmp_path / "plain.jsonl"))
    session.entries[3]["message"]["content"] = content
    odd = session.write(tmp_path / "odd" / "a.jsonl")
    profile = tmp_path / "p.toml"
    profile.write_text('[lanes.a]\nprovider = "anthropic"\nkey_env = "K"\n')
    found = values(audited(odd, profile=profile))
    assert found["totals"]["cost_usd"] == pytest.approx(plain, abs=1e-9)
    assert found["with_lynkr"]["cost_usd"] is not None


@pytest.mark.parametrize(
    "stamp",
    [
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        pytest.param(
            "9999-12-31T23:59:59-14:00",
        ),
    ],
)
def test_a_moment_that_no_clock_can_say_costs_at_most_its_answer(tmp_path: Path, stamp: str) -> None:
    session = Claude().turns(3)
    session.entries[1]["timestamp"] = session.entries[2]["timestamp"] = stamp
    path = session.write(tmp_path / "a.jsonl")
    assert len(audited(path).was) >= 2


def test_a_file_of_other_lines_of_the_tool_alone_holds_no_request(tmp_path: Path) -> None:
    lines = [{"type": "summary", "summary": "A title", "leafUuid": "x"}, {"type": "file-history-snapshot"}]
    account = audited(written(tmp_path / "a.jsonl", lines))
    assert (account.was, account.lines, account.skipped) == ([], 2, 0)
