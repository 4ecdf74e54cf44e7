"""Codex' rollouts are items with counts between them: what each request sent, and that each response counts once, with
the model that the turn was on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transcripts import LISTING, Claude, Codex, audited, spent, spent_by_codex, values

from lynkr.audit import codex
from lynkr.audit.past import Read, Thread
from lynkr.audit.reading import READERS, File, read
from lynkr.usage import Usage


def told(path: Path) -> Read:
    reader = next(reader for reader in READERS if reader.TOOL == codex.TOOL)
    return read(File(path, reader), set())


def sent(thread: Thread, turn: int) -> list[str]:
    """The kinds of the items that the request of a turn sent."""
    return [item["type"] for item in thread.items[: thread.turns[turn].length]]


def test_each_response_counts_with_its_own_record(tmp_path: Path) -> None:
    rollout = Codex().begin()
    rollout.said("hello")
    rollout.said("hi", "assistant")
    rollout.usage(1000, 640, 50, "r1", reasoning=20)
    rollout.said("more")
    rollout.said("of course", "assistant")
    rollout.usage(1100, 1000, 60, "r2")
    thread = told(rollout.write(tmp_path / "a.jsonl")).threads[0]
    assert [turn.usage for turn in thread.turns] == [Usage(360, 640, 0, 0, 50, 20), Usage(100, 1000, 0, 0, 60)]
    assert [turn.model for turn in thread.turns] == ["gpt-5.5", "gpt-5.5"]


def test_counts_of_older_versions_are_taken_where_there_are_no_records(tmp_path: Path) -> None:
    rollout = Codex().begin()
    rollout.said("hello")
    rollout.said("hi", "assistant")
    rollout.count(1000, 640, 50, 20)
    rollout.again()
    rollout.again()
    rollout.line("event_msg", type="token_count", info=None, rate_limits={})
    rollout.said("more")
    rollout.count(1000, 640, 50, 20)
    turns = told(rollout.write(tmp_path / "a.jsonl")).threads[0].turns
    assert [turn.usage for turn in turns] == [Usage(360, 640, 0, 0, 50, 20)] * 2


def test_each_turn_is_on_the_model_that_it_says(tmp_path: Path) -> None:
    rollout = Codex().begin("gpt-5.5")
    for n, model in enumerate(("gpt-5.1-codex", "", "gpt-5.5")):
        rollout.turn(model)
        rollout.said("go on")
        rollout.said("done", "assistant")
        rollout.usage(10_000, 5_000, 10, f"r{n}")
    path = rollout.write(tmp_path / "a.jsonl")
    assert [turn.model for turn in told(path).threads[0].turns] == ["gpt-5.1-codex", "gpt-5.1-codex", "gpt-5.5"]
    assert values(audited(path))["totals"]["cost_usd"] == pytest.approx(spent_by_codex(path), abs=1e-9)


def test_a_request_sent_all_that_stood_before_the_model_began_to_answer(tmp_path: Path) -> None:
    rollout = Codex().begin()
    rollout.said("developer words", "developer")
    rollout.said("list the files")
    rollout.item("reasoning", id="rs_1", summary=[], encrypted_content="gAAAA")
    rollout.said("I look.", "assistant")
    rollout.called("c1", custom=True)
    rollout.usage(5000, 0, 40, "r1", reasoning=30)
    rollout.gave("c1", custom=True)
    rollout.called("c2")
    rollout.called("c3")
    rollout.usage(6000, 5000, 40, "r2")
    rollout.gave("c2")
    rollout.gave("c3")
    rollout.said("Done.", "assistant")
    rollout.usage(7000, 6000, 40, "r3")
    thread = told(rollout.write(tmp_path / "a.jsonl")).threads[0]
    first = ["message", "message"]
    second = [*first, "reasoning", "message", "custom_tool_call", "custom_tool_call_output"]
    third = [*second, "function_call", "function_call", "function_call_output", "function_call_output"]
    assert [sent(thread, n) for n in range(3)] == [first, second, third]


def test_what_codex_keeps_to_itself_is_in_no_item(tmp_path: Path) -> None:
    rollout = Codex().turns(2)
    rollout.item("ghost_snapshot", ghost_commit={"id": "abc"})
    rollout.line("world_state", full=True, state={})
    thread = told(rollout.write(tmp_path / "a.jsonl")).threads[0]
    assert all("internal_chat_message_metadata_passthrough" not in item for item in thread.items)
    assert {item["type"] for item in thread.items} == {"message", "function_call", "function_call_output"}


def test_after_a_compaction_the_history_is_what_it_was_replaced_with(tmp_path: Path) -> None:
    rollout = Codex().turns(2)
    short = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "in short"}]}
    sealed = {"type": "compaction", "encrypted_content": "gAAAA"}
    rollout.line("compacted", message="", replacement_history=[short, sealed])
    rollout.said("go on")
    rollout.said("on it", "assistant")
    rollout.usage(4000, 0, 30, "after")
    threads = told(rollout.write(tmp_path / "a.jsonl")).threads
    assert [len(thread.turns) for thread in threads] == [2, 1]
    assert sent(threads[1], 0) == ["message", "compaction", "message"]
    assert threads[0].session == threads[1].session
    assert threads[1].instructions == "You are Codex."


def test_an_older_compaction_leaves_its_words(tmp_path: Path) -> None:
    rollout = Codex().turns(1)
    rollout.line("compacted", message="in short: files were listed")
    rollout.said("go on")
    rollout.said("on it", "assistant")
    rollout.usage(4000, 0, 30, "after")
    thread = told(rollout.write(tmp_path / "a.jsonl")).threads[1]
    assert thread.items[0]["content"] == [{"type": "input_text", "text": "in short: files were listed"}]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_the_same_request_in_two_rollouts_counts_once(tmp_path: Path, names: tuple[str, str]) -> None:
    rollout = Codex().turns(3)
    rollout.write(tmp_path / f"{names[0]}.jsonl")
    fork = Codex(
        "01a2009b-0000-7000-0000-0000000000ff", lines=list(rollout.lines), minute=60, total=dict(rollout.total)
    )
    fork.said("another way", "assistant")
    fork.usage(40_000, 30_000, 10, "other")
    fork.write(tmp_path / f"{names[1]}.jsonl")
    account = audited(tmp_path)
    assert (len(account.was), account.copied) == (4, 3)


def test_a_fork_that_only_names_its_beginning_counts_what_it_added(tmp_path: Path) -> None:
    Codex().turns(2).write(tmp_path / "a.jsonl")
    fork = Codex("01a2009b-0000-7000-0000-0000000000ff", minute=60)
    fork.begin(forked_from_id=Codex().session, history_base={"thread_id": Codex().session, "end_ordinal_exclusive": 9})
    fork.said("another way")
    fork.said("done", "assistant")
    fork.usage(40_000, 30_000, 10, "other")
    fork.write(tmp_path / "b.jsonl")
    found = values(audited(tmp_path))
    assert (found["totals"]["requests"], found["sessions"]) == (3, 2)


@pytest.mark.parametrize(
    "source", [{"thread_source": "subagent"}, {"source": {"subagent": {"thread_spawn": {"depth": 1}}}}]
)
def test_a_subagents_rollout_is_told_from_the_users(tmp_path: Path, source: dict[str, Any]) -> None:
    rollout = Codex().turns(1)
    rollout.lines[0]["payload"].update(source)
    assert [thread.who for thread in told(rollout.write(tmp_path / "a.jsonl")).threads] == ["subagent"]


def test_a_response_without_a_time_or_before_any_model_is_no_request(tmp_path: Path) -> None:
    rollout = Codex().turns(3)
    for line in rollout.lines:
        if line["type"] == "token_usage_record":
            line.pop("timestamp")
            break
    assert len(audited(rollout.write(tmp_path / "a.jsonl")).was) == 2
    rollout.lines = [line for line in rollout.lines if line["type"] != "turn_context"]
    assert audited(rollout.write(tmp_path / "a.jsonl")).was == []


def test_an_unknown_model_has_no_price_and_is_counted(tmp_path: Path) -> None:
    rollout = Codex(model="gpt-of-the-future").turns(2)
    totals = values(audited(rollout.write(tmp_path / "a.jsonl")))["totals"]
    assert (totals["requests"], totals["unpriced_requests"], totals["cost_usd"]) == (2, 2, None)


@pytest.mark.parametrize("prompt", [10_000, 271_999, 272_001, 400_000])
def test_the_cost_is_the_recorded_usage_at_list_prices_also_of_long_prompts(tmp_path: Path, prompt: int) -> None:
    path = Codex().turns(3, prompt=prompt).write(tmp_path / "a.jsonl")
    cost = values(audited(path))["totals"]["cost_usd"]
    assert cost > 0
    assert cost == pytest.approx(spent_by_codex(path), abs=1e-9, rel=0)


def test_both_tools_are_counted_beside_each_other(tmp_path: Path) -> None:
    one = Claude().turns(3).write(tmp_path / "claude.jsonl")
    rollout = Codex().turns(2)
    rollout.said("done", "assistant")
    rollout.usage(36_000, 33_000, 10, "last")
    two = rollout.write(tmp_path / "codex.jsonl")
    found = values(audited(tmp_path))
    assert found["totals"]["cost_usd"] == pytest.approx(spent(one) + spent_by_codex(two), abs=1e-9)
    each = {group["tool"]: group["totals"] for group in found["by"]["tool"]}
    assert each["claude"]["cost_usd"] == pytest.approx(spent(one), abs=1e-9)
    assert each["codex"]["cost_usd"] == pytest.approx(spent_by_codex(two), abs=1e-9)
    tools = {row["tool"]: (row["results"], row["tokens"]) for row in found["results"]}
    assert tools == {"Bash": (2, 2 * (len(LISTING) // 4)), "exec_command": (2, 2 * (len(LISTING) // 4))}


@pytest.mark.parametrize("number", [-5, 1e30, "12", None, [1], pytest.param(10**400, id="huge"), pytest.param(2**60)])
def test_a_count_that_is_none_is_never_money(tmp_path: Path, number: object) -> None:
    rollout = Codex().turns(2)
    for line in rollout.lines:
        if line["type"] == "token_usage_record":
            line["payload"]["usage"]["input_tokens"] = number
    totals = values(audited(rollout.write(tmp_path / "a.jsonl")))["totals"]
    assert totals["input_tokens"] >= 0
    assert 0 <= totals["cost_usd"] < 1


@pytest.mark.parametrize("kind", [pytest.param([1]), pytest.param({"a": 1}), 5, None, True])
def test_an_item_of_no_kind_is_passed_over(tmp_path: Path, kind: object) -> None:
    rollout = Codex().turns(2)
    rollout.lines.insert(4, {**rollout.lines[2], "payload": {"type": kind, "role": kind}})
    assert len(audited(rollout.write(tmp_path / "a.jsonl")).was) == 2
