"""The price table holds what vendors ask, finds dated names, invents nothing, and a cost is arithmetic over it.

The figures are written out here, from the vendors' price pages, so that an update that garbles one is noticed.
"""

from __future__ import annotations

import datetime

import pytest

from lynkr.lane import Price
from lynkr.ledger.prices import Entry, Table, cost, table
from lynkr.usage import Usage

# USD per million tokens: input, output, 5-minute write, 1-hour write, read.
KNOWN: dict[str, tuple[float, float, float | None, float | None, float]] = {
    "claude-fable-5-1": (10, 50, 12.5, 20, 0.25),
    "claude-opus-5-5": (4, 20, 5, 8, 0.20),
    "claude-sonnet-5-5": (2, 10, 2.5, 4, 0.10),
    "claude-haiku-5-5": (0.10, 0.50, 0.125, 0.20, 0.01),
    "claude-opus-5": (5, 25, 6.25, 10, 0.50),
    "claude-opus-4-8": (5, 25, 6.25, 10, 0.50),
    "claude-opus-4-7": (5, 25, 6.25, 10, 0.50),
    "claude-opus-4-6": (5, 25, 6.25, 10, 0.50),
    "claude-opus-4-5": (5, 25, 6.25, 10, 0.50),
    "claude-sonnet-5": (2, 10, 2.5, 4, 0.20),
    "claude-sonnet-4-6": (3, 15, 3.75, 6, 0.30),
    "claude-sonnet-4-5": (3, 15, 3.75, 6, 0.30),
    "claude-haiku-4-5": (1, 5, 1.25, 2, 0.10),
    "gpt-6.1-sol": (2, 10, 2.5, None, 0.10),
    "gpt-6-sol": (2, 10, 2.5, None, 0.20),
    "gpt-5.6": (4, 20, 5, None, 0.4),
    "gpt-5.6-terra": (2, 12, 2.5, None, 0.2),
    "gpt-5.6-luna": (0.2, 1.2, 0.25, None, 0.02),
    "gpt-5.5": (5, 30, None, None, 0.50),
    "deepseek-v4-pro": (1.32, 3.96, None, None, 0.044),
    "deepseek-v4-flash": (0.30, 1.20, None, None, 0.006),
}
FREE = {"glm-4.5-flash", "glm-4.7-flash"}
MILLION = 1_000_000
ALL_KINDS = Usage(input=1000, cache_read=200_000, cache_write=3000, cache_write_1h=4000, output=500, reasoning=100)


def entry(model: str) -> Entry:
    found = table().find(model)
    assert found is not None, model
    return found


@pytest.mark.parametrize("model", KNOWN)
def test_a_known_model_has_its_vendors_price(model: str) -> None:
    base = entry(model).base
    assert (base.input, base.output, base.cache_write, base.cache_write_1h, base.cache_read) == KNOWN[model]


def test_every_price_in_the_table_is_positive_but_of_what_is_free_by_name() -> None:
    assert len(table().models) > 50
    for model, found in table().models.items():
        rates = [rate for name, rate in found.items() if name in Price._fields]
        rates += [rate for tier in found.get("tiers", ()) for rate in tier.values()]
        assert {"input", "output"} <= set(found), model
        assert all(isinstance(rate, (int, float)) for rate in rates), model
        assert all(rate == 0 if model in FREE else rate > 0 for rate in rates), model


def test_every_model_in_the_table_is_found_under_its_name() -> None:
    for model, found in table().models.items():
        assert entry(model).base.output == found["output"]
        assert len(entry(model).tiers) == len(found.get("tiers", ()))


def test_no_model_reads_its_cache_for_more_than_new_input_costs() -> None:
    for model in table().models:
        prices = [entry(model).base, *(price for _, price in entry(model).tiers)]
        assert all(price.cache_read is None or price.cache_read <= price.input for price in prices), model


def test_tiers_rise() -> None:
    for model in table().models:
        edges = [above for above, _ in entry(model).tiers]
        assert edges == sorted(set(edges)), model
        assert all(edge > 0 for edge in edges), model


def test_the_table_says_of_which_day_it_is_and_where_it_is_from() -> None:
    assert datetime.date.fromisoformat(table().date) > datetime.date(2026, 1, 1)
    assert table().source


@pytest.mark.parametrize(
    ("named", "model"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-opus-5-5-20261001", "claude-opus-5-5"),
        ("claude-opus-4-8@20260701", "claude-opus-4-8"),
        ("claude-sonnet-5-5-latest", "claude-sonnet-5-5"),
        ("claude-sonnet-4-6[1m]", "claude-sonnet-4-6"),
        ("claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5"),
        ("gpt-5.5-2026-04-23", "gpt-5.5"),
    ],
)
def test_a_name_with_a_date_or_a_hint_is_the_model_itself(named: str, model: str) -> None:
    assert entry(named) == entry(model)


@pytest.mark.parametrize(
    "model",
    ["", "nothing", "claude", "claude-opus", "claude-opus-99", "gpt-5.5-nonsense", "my-claude-opus-5-5", "CLAUDE-OPUS-5-5",
     "-latest", "20260101", "claude-opus-5-5-19990101", "qwen2.5-coder:7b"],
)  # fmt: skip
def test_an_unknown_model_has_no_price(model: str) -> None:
    assert table().find(model) is None


def test_the_higher_tier_begins_strictly_above_its_edge() -> None:
    haiku = entry("claude-haiku-5-5")
    assert haiku.at(100_000) == Price(0.1, 0.5, 0.01, 0.125, 0.2)
    assert haiku.at(100_001) == Price(0.5, 2.5, 0.05, 0.625, 1.0)


def test_above_the_edge_every_token_of_the_request_costs_more() -> None:
    haiku = entry("claude-haiku-5-5")
    below, above = (
        Usage(input=50_000, cache_read=50_000, output=1000),
        Usage(input=50_001, cache_read=50_000, output=1000),
    )
    assert cost(below, haiku)[0] == pytest.approx((50_000 * 0.1 + 50_000 * 0.01 + 1000 * 0.5) / MILLION)
    assert cost(above, haiku)[0] == pytest.approx((50_001 * 0.5 + 50_000 * 0.05 + 1000 * 2.5) / MILLION)


def test_the_output_does_not_count_towards_the_edge() -> None:
    usd, _ = cost(Usage(input=100_000, output=50_000), entry("claude-haiku-5-5"))
    assert usd == pytest.approx((100_000 * 0.1 + 50_000 * 0.5) / MILLION)


def test_a_tier_takes_what_it_does_not_name_from_the_list_rates() -> None:
    models = {"m": {"input": 1, "output": 2, "cache_read": 0.5, "cache_write": 3, "tiers": [{"above": 10, "input": 4}]}}
    found = Table("2026-01-01", "here", models).find("m")
    assert found is not None
    assert found.at(11) == Price(4, 2, 0.5, 3)


def test_the_highest_tier_that_is_reached_counts() -> None:
    found = Entry(Price(1, 1), ((10, Price(2, 2)), (20, Price(3, 3))))
    assert [found.at(size).input for size in (10, 11, 20, 21)] == [1, 2, 2, 3]


def test_the_cost_of_every_kind_of_token_by_hand() -> None:
    # Opus 5.5: 1000 × 4 + 200 000 × 0.20 + 3000 × 5 + 4000 × 8 + 500 × 20 = 101 000 millionths.
    usd, estimated = cost(ALL_KINDS, entry("claude-opus-5-5"))
    assert usd == pytest.approx(0.101, abs=1e-12)
    assert not estimated


def test_reasoning_is_a_part_of_the_output_and_not_paid_twice() -> None:
    one, two = Usage(output=500), Usage(output=500, reasoning=500)
    assert cost(one, entry("claude-opus-5-5")) == cost(two, entry("claude-opus-5-5"))


def test_a_rate_that_is_not_listed_is_the_input_rate() -> None:
    # GPT-5.5 has no price for writes: 1000 × 5 + 2000 × 0.5 + 3000 × 5 + 100 × 30.
    usd, estimated = cost(Usage(input=1000, cache_read=2000, cache_write=3000, output=100), entry("gpt-5.5"))
    assert usd == pytest.approx(24_000 / MILLION)
    assert not estimated
    assert cost(Usage(cache_read=MILLION), Entry(Price(7, 1)))[0] == pytest.approx(7)


def test_an_hour_long_write_without_a_rate_of_its_own_is_an_estimate_at_the_write_rate() -> None:
    assert cost(Usage(cache_write_1h=MILLION), Entry(Price(1, 1, cache_write=3))) == (3.0, True)
    assert cost(Usage(cache_write_1h=MILLION), Entry(Price(2, 1))) == (2.0, True)
    assert cost(Usage(cache_write_1h=MILLION), Entry(Price(1, 1, cache_write_1h=5))) == (5.0, False)


def test_what_was_billed_besides_tokens_makes_the_cost_an_estimate() -> None:
    assert cost(Usage(input=MILLION, extras=True), entry("claude-opus-5-5")) == (4.0, True)


def test_nothing_costs_nothing() -> None:
    assert cost(Usage(), entry("claude-opus-5-5")) == (0.0, False)


def test_a_rate_of_zero_is_a_rate() -> None:
    assert cost(Usage(input=10, cache_read=10, cache_write=10), Entry(Price(1, 1, 0.0, 0.0)))[0] == pytest.approx(
        10 / MILLION
    )
