"""The same requests through a profile: what is the same costs the same, what is taken out is all that a lane of one's
own saves, and what goes elsewhere is reckoned with that lane's cache and no other conversation's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcripts import LISTING, Account, Claude, Codex, audited, call, figures, result, text, values

from lynkr.ledger.row import Row
from lynkr.report.tally import Tally

DIRECT = '[tiers]\ncomplex = ["a", "o"]\n[lanes.a]\nprovider = "anthropic"\nauth = "client"\n[lanes.o]\nprovider = "openai"\nauth = "client"\n'
KEYED = '[lanes.a]\nprovider = "anthropic"\nkey_env = "K"\n'
OTHER = '[lanes.a]\nprovider = "anthropic"\nmodel = "claude-haiku-4-5"\nkey_env = "K"\n'
TWO = """
[tiers]
simple = ["small"]
medium = ["small"]
complex = ["large"]
reasoning = ["large"]
[lanes.small]
provider = "anthropic"
model = "claude-haiku-4-5"
key_env = "K"
[lanes.large]
provider = "anthropic"
key_env = "K"
"""
LOCAL = '[lanes.l]\nprovider = "ollama"\nmodel = "qwen3-coder:30b"\ncontext = 65536\n'


@pytest.fixture
def past(tmp_path: Path) -> Path:
    """A few sessions of Claude Code: small and hard, long, one with a subagent, one that was compacted."""
    folder = tmp_path / "past"
    Claude("5e551011-0000-4000-8000-00000000000a").turns(12).write(folder / "a.jsonl")
    hard = Claude("5e551011-0000-4000-8000-00000000000b", minute=30)
    hard.turns(6, prompt=50_000, first="prove that the lock-free queue is linearizable, then redesign the whole module")
    hard.write(folder / "b.jsonl")
    mixed = Claude("5e551011-0000-4000-8000-00000000000c", minute=90).turns(3)
    mixed.entry("system", parent=None, subtype="compact_boundary", logicalParentUuid=mixed.last)
    mixed.user("in short", isCompactSummary=True)
    mixed.turns(3, prompt=9_000)
    mixed.write(folder / "c.jsonl")
    return folder


def replayed(past: Path, text: str) -> Account:
    profile = past.parent / "p.toml"
    profile.write_text(text)
    return audited(past, profile=profile)


def would(account: Account) -> list[Row]:
    return [row for _, row in account.would]


def prompt(row: Row) -> int:
    return row.usage.prompt


def test_a_profile_that_changes_nothing_costs_the_same_to_the_token(past: Path) -> None:
    account = replayed(past, DIRECT)
    assert [row.usage for _, row in account.was] == [row.usage for row in would(account)]
    then = values(account)["with_lynkr"]
    assert (then["saved_usd"], then["tokens_removed"], then["elsewhere_requests"]) == (0.0, 0, 0)
    assert then["cost_usd"] == values(account)["totals"]["cost_usd"]


def counted(chars_per_token: float) -> Claude:
    """A loop whose counts are true to its text: every other result stood there before, the others never did."""
    session, prompt, cached = Claude(), 20_000, 0
    session.user("begin")
    for n in range(20):
        said = " ".join(f"word{n * 1000 + k}" for k in range(150))
        given = LISTING if n % 2 else " ".join(f"thing{n * 1000 + k}" for k in range(600))
        session.answer([text(said), call(f"t{n}")], figures(10, prompt - cached, cached, 200), f"{n}")
        session.user(result(f"t{n}", given))
        cached = prompt
        prompt += round((len(json.dumps(said)) + len(json.dumps(given)) + 250) / chars_per_token)
    session.answer([text("end")], figures(10, prompt - cached, cached, 10), "end")
    return session


@pytest.mark.parametrize("chars_per_token", [pytest.param(3.0), pytest.param(3.5), 4.0, 4.5], ids=str)
def test_a_lane_of_ones_own_saves_what_compression_took_out_and_nothing_by_routing(
    tmp_path: Path, chars_per_token: float
) -> None:
    counted(chars_per_token).write(tmp_path / "past" / "a.jsonl")
    found = values(replayed(tmp_path / "past", KEYED))
    then, was = found["with_lynkr"], found["totals"]["cost_usd"]
    assert then["tokens_removed"] > 1000
    assert then["compression_usd"] > 0
    assert abs(then["routing_usd"]) <= 0.01 * then["compression_usd"]
    assert then["cost_usd"] == pytest.approx(was - then["compression_usd"], rel=0.01)
    assert then["elsewhere_requests"] == 0


@pytest.mark.parametrize("chars_per_token", [pytest.param(3.0), 4.0, 4.5], ids=str)
def test_what_a_cache_that_goes_on_would_have_cost_is_within_the_range(tmp_path: Path, chars_per_token: float) -> None:
    counted(chars_per_token).write(tmp_path / "past" / "a.jsonl")
    account = replayed(tmp_path / "past", KEYED)
    cost, held = 0.0, 0
    for row in would(account):  # each request finds what the one before it had, and writes the rest
        cost += (held * 0.2 + (prompt(row) - held - 10) * 5 + 10 * 4 + row.usage.output * 20) / 1e6
        held = prompt(row) - 10
    found = values(account)
    then = found["with_lynkr"]
    assert then["low_usd"] <= found["totals"]["cost_usd"] - cost <= then["high_usd"]


def test_of_each_request_what_was_taken_out_and_what_is_left_make_what_there_was(past: Path) -> None:
    account = replayed(past, KEYED)
    for (_, was), (_, row) in zip(account.was, account.would, strict=True):
        assert prompt(row) + row.removed_tokens == pytest.approx(prompt(was), abs=3)
        assert row.usage.output == was.usage.output
        assert row.usage.cache_read <= was.usage.cache_read


@pytest.mark.parametrize("text", [DIRECT, KEYED, OTHER, TWO, LOCAL])
def test_no_count_of_tokens_is_ever_negative_and_no_prompt_grows(past: Path, text: str) -> None:
    account = replayed(past, text)
    for (_, was), (_, row) in zip(account.was, account.would, strict=True):
        usage = row.usage
        assert min(usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h, usage.output) >= 0
        assert row.removed_tokens >= 0
        assert prompt(row) <= prompt(was)


@pytest.mark.parametrize("text", [DIRECT, KEYED, OTHER, TWO])
def test_the_parts_of_what_would_have_been_saved_add_up(past: Path, text: str) -> None:
    account = replayed(past, text)
    then, tally = values(account)["with_lynkr"], Tally.of(would(account))
    parts = [then[f"{name}_usd"] for name in ("routing", "compression", "answers", "bypass")]
    assert sum(parts) == pytest.approx(then["saved_usd"], abs=4e-9)
    assert then["cost_usd"] == pytest.approx(tally.totals()["cost_usd"], abs=1e-9)
    assert then["saved_usd"] == pytest.approx(values(account)["totals"]["cost_usd"] - then["cost_usd"], abs=1e-8)
    assert then["low_usd"] <= then["saved_usd"] <= then["high_usd"]
    assert sum(kind["tokens_removed"] for kind in then["kinds"]) == pytest.approx(then["tokens_removed"], abs=20)


def test_of_two_lanes_the_small_work_goes_to_the_small_model_and_hard_work_stays(past: Path) -> None:
    account = replayed(past, TWO)
    asked = {(row.tier, row.model) for row in would(account)}
    assert ("simple", "claude-haiku-4-5") in asked or ("medium", "claude-haiku-4-5") in asked
    assert {model for tier, model in asked if tier in ("complex", "reasoning")} <= {"claude-opus-5-5"}
    moved = sum(row.model != was.model for (_, was), (_, row) in zip(account.was, account.would, strict=True))
    assert values(account)["with_lynkr"]["elsewhere_requests"] == moved > 0


def test_a_lane_elsewhere_reads_what_it_was_sent_of_the_conversation_and_writes_the_rest(tmp_path: Path) -> None:
    Claude().turns(3).write(tmp_path / "past" / "a.jsonl")
    rows = would(replayed(tmp_path / "past", OTHER + "[compress]\ntool_results = false\n"))
    assert [(row.usage.cache_read, row.usage.cache_write) for row in rows] == [(0, 30_010), (30_110, 2_900), (33_110, 2_900)]  # fmt: skip


@pytest.mark.parametrize(("hour", "read"), [(0, 0), (500, 30_110)])
def test_a_lanes_cache_is_kept_for_as_long_as_the_session_kept_its_own(tmp_path: Path, hour: int, read: int) -> None:
    session = Claude().turns(1)
    session.entries[1]["message"]["usage"]["cache_creation"] = {
        "ephemeral_5m_input_tokens": 30_000 - hour,
        "ephemeral_1h_input_tokens": hour,
    }
    session.minute += 20
    usage = {**session.entries[1]["message"]["usage"], "cache_creation_input_tokens": 3000, "cache_read_input_tokens": 30_000}  # fmt: skip
    session.answer([{"type": "text", "text": "done"}], usage, "late")
    session.write(tmp_path / "past" / "a.jsonl")
    rows = would(replayed(tmp_path / "past", OTHER + "[compress]\ntool_results = false\n"))
    assert rows[1].usage.cache_read == read


def test_what_one_conversation_has_in_a_cache_is_of_no_use_to_another(tmp_path: Path) -> None:
    for n, minute in enumerate((0.0, 1.2)):
        session = Claude(f"5e551011-0000-4000-8000-0000000000{n}0", f"/home/dev/p{n}", minute=minute)
        session.turns(2, first=f"begin with number {n}").write(tmp_path / "past" / f"{n}.jsonl")
    rows = would(replayed(tmp_path / "past", OTHER))
    assert [row.usage.cache_read for row in rows][::2] == [0, 0]


def test_a_conversation_that_stays_is_not_reckoned_anew_because_another_has_left(tmp_path: Path) -> None:
    for n, model in enumerate(("claude-opus-5-5", "claude-haiku-4-5")):
        session = Claude(f"5e551011-0000-4000-8000-0000000000{n}0", model=model, minute=n)
        session.turns(2).write(tmp_path / "past" / f"{n}.jsonl")
    account = replayed(tmp_path / "past", OTHER + "[compress]\ntool_results = false\n")
    stays = [pair for pair in zip(account.was, account.would, strict=True) if pair[0][1].model == "claude-haiku-4-5"]
    assert [row.usage for (_, row), _ in stays] == [row.usage for _, (_, row) in stays]


def test_codex_is_put_through_the_same_rules(tmp_path: Path) -> None:
    rollout = Codex().turns(8, grows=2_900)
    path = rollout.write(tmp_path / "past" / "a.jsonl")
    found = values(replayed(path.parent, '[lanes.o]\nprovider = "openai"\nkey_env = "K"\n'))
    then = found["with_lynkr"]
    assert then["tokens_removed"] > 1000
    assert 0 < then["compression_usd"] < found["totals"]["cost_usd"]
    assert then["elsewhere_requests"] == 0


def test_what_had_no_price_is_in_no_sum_that_is_set_against_what_it_cost(tmp_path: Path) -> None:
    Claude(model="claude-of-the-future-9").turns(2).write(tmp_path / "past" / "a.jsonl")
    Claude("5e551011-0000-4000-8000-00000000000b").turns(2).write(tmp_path / "past" / "b.jsonl")
    found = values(replayed(tmp_path / "past", OTHER))
    then = found["with_lynkr"]
    assert then["cost_usd"] == pytest.approx(found["totals"]["cost_usd"] - then["saved_usd"], abs=1e-8)


def test_a_lane_without_a_price_is_counted_and_never_called_a_saving(past: Path) -> None:
    account = replayed(past, LOCAL)
    then = values(account)["with_lynkr"]
    assert (then["cost_usd"], then["saved_usd"], then["low_usd"]) == (None, None, None)
    assert then["unpriced_requests"] == len(account.would)


def test_a_damaged_count_takes_no_memory(tmp_path: Path) -> None:
    session = Claude().turns(1)
    session.entries[1]["message"]["usage"] = session.entries[2]["message"]["usage"] = figures(2**52)
    session.write(tmp_path / "past" / "a.jsonl")
    # No request has as many tokens: it is left out, and what it says is no money.
    assert would(replayed(tmp_path / "past", DIRECT)) == []
